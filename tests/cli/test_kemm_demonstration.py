"""The demo of KEMM asks for what there is, and says what its controls came to."""

from __future__ import annotations

import yaml

from sequela.cli.kemm_demonstration import _RIVALS, signatures, verdict
from sequela.cli.words import packaged
from sequela.encoders.frozen_text import WIDTH
from sequela.knowledge.background import CANCER_TYPES
from sequela.training.study_file import StudySettings


def test_the_study_of_the_demo_runs_kemm_its_controls_and_the_rows_on_top() -> None:
    asked = StudySettings.model_validate(yaml.safe_load(packaged("demo-kemm.yaml")))
    labels = [entry.label for entry in asked.entries]
    assert labels[:4] == ["kaplan-meier", "cox-clinical", "cox-expression", "kemm"]
    assert {*_RIVALS} <= {*labels}


def test_signatures_live_in_the_space_of_the_claims() -> None:
    found = signatures()
    assert tuple(found) == CANCER_TYPES
    assert all(each.shape[0] > 0 and each.shape[1] == WIDTH for each in found.values())


def test_a_control_is_told_with_its_interval_and_whoever_is_ahead() -> None:
    def pair(first: str, second: str, value: float, p: float) -> dict[str, object]:
        ends = {"value": value, "low": value - 0.04, "high": value + 0.04, "reason": ""}
        return {"first": first, "second": second, "difference": ends, "p_holm": p, "reason": ""}

    differences = [
        pair("kemm", "learned-queries", 0.1, 0.001),
        pair("wrong-cancer-pbk", "kemm", 0.05, 0.03),
        pair("cox-clinical", "kemm", -0.01, 0.9),
        pair("cox-clinical", "learned-queries", 0.2, 0.001),
    ]
    comparisons = [{"metric": "harrell_c", "differences": differences}]
    assert verdict({"comparisons": comparisons}) == [
        "KEMM beat learned-queries (C +0.100, interval +0.060 to +0.140, corrected p 0.001)",
        "KEMM LOST to wrong-cancer-pbk (C -0.050, interval -0.090 to -0.010, corrected p 0.030)",
        "KEMM against cox-clinical: no difference shown "
        "(C +0.010, interval -0.030 to +0.050, corrected p 0.900)",
    ]
