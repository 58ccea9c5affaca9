from __future__ import annotations

import polars as pl

from sequela.report.cohort_flow import count_flow, flow_diagram

SPLITS = pl.DataFrame(
    {
        "patient_id": ["a", "b", "c", "a", "b", "c"],
        "repeat": ["0"] * 6,
        "fold": ["0"] * 3 + ["1"] * 3,
        "split": ["train", "train", "test", "test", "train", "train"],
    }
)
EXCLUSIONS = pl.DataFrame(
    {
        "patient_id": ["a", "x", "x", "x", "y"],
        "exam_id": ["a1", "x1", "x2", None, None],
        "reason": ["too near", "too near", "too near", "no exam left", "no <outcome> & more"],
    }
)


def test_every_patient_is_counted_once() -> None:
    flow = count_flow(SPLITS, EXCLUSIONS)
    assert flow.assessed == 5
    assert dict(flow.excluded) == {"no exam left": 1, "no <outcome> & more": 1}
    assert flow.included == sum(count for _, count in flow.splits) == 3
    assert flow.splits == (("train", 2), ("test", 1))
    assert flow.exams_left_out == (("too near", 1),)
    assert flow.folds == 2


def test_nobody_left_out() -> None:
    flow = count_flow(SPLITS, None)
    assert (flow.assessed, flow.excluded) == (3, ())
    assert "Excluded (0)" in flow_diagram(flow)


def test_the_diagram_says_every_count_and_escapes_reasons() -> None:
    drawing = flow_diagram(count_flow(SPLITS, EXCLUSIONS))
    assert "no &lt;outcome&gt; &amp; more" in drawing
    assert "<outcome>" not in drawing
    for text in ("5 patients", "3 patients", "2 patients", "1 patient<", "Excluded (2)"):
        assert text in drawing
