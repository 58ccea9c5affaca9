from __future__ import annotations

from dataclasses import replace

import pytest

from sequela.report.comparisons import Comparison, ComparisonSet
from sequela.report.estimates import Estimate
from sequela.report.results import ModelResult
from sequela.report.wording import headline, verdict


def result(variant: str) -> ModelResult:
    return ModelResult(
        name=variant,
        variant=variant,
        endpoint="recurrence",
        split="test",
        horizon=None,
        definition="",
        provenance={},
        counts={},
        metrics={"auc": Estimate(0.7, 0.6, 0.8)},
        curves=(),
        table_day=None,
        table=(),
        calibration=None,
        decision=None,
        warnings=(),
    )


def pairs(*found: tuple[str, float | None, float | None]) -> ComparisonSet:
    """Comparisons of other models (the left) with lumin: (name, other minus lumin, p)."""
    comparisons = tuple(
        Comparison(
            name, "lumin", "auc", Estimate(value, reason="" if value is not None else "no event"), p
        )
        for name, value, p in found
    )
    names = (*(name for name, _, _ in found), "lumin")
    return ComparisonSet("test", "auc", "DeLong", names, comparisons, ())


RESULTS = [result("cox-clinical"), result("l-b"), result("lumin")]


@pytest.mark.parametrize(
    ("found", "lead"),
    [
        (
            [("cox-clinical", -0.1, 0.001), ("l-b", -0.05, 0.04)],
            "LUMIN beat all 2 models it was compared with on AUC: Cox (clinical) and L-B.",
        ),
        (
            [("cox-clinical", -0.1, 0.001), ("l-b", -0.05, 0.05)],
            "LUMIN beat 1 of the 2 models it was compared with on AUC (Cox (clinical)); "
            "a difference from L-B was not shown.",
        ),
        (
            [("cox-clinical", -0.1, 0.2), ("l-b", 0.05, 0.9)],
            "LUMIN was not shown to beat any of the 2 models it was compared with on AUC.",
        ),
        (
            [("cox-clinical", 0.1, 0.001), ("l-b", None, None)],
            "LUMIN was not shown to beat any of the 2 models it was compared with on AUC; "
            "it was worse than Cox (clinical); the difference from L-B could not be tested.",
        ),
        (
            [("l-b", -0.1, 0.5)],
            "LUMIN was not shown to beat the one model it was compared with on AUC.",
        ),
    ],
)
def test_the_lead_says_what_was_shown_and_no_more(
    found: list[tuple[str, float | None, float | None]], lead: str
) -> None:
    assert headline(RESULTS, [pairs(*found)]).lead == lead


def test_a_comparison_read_from_the_other_side_says_the_opposite() -> None:
    one = Comparison("l-b", "lumin", "auc", Estimate(-0.1, -0.15, -0.05), 0.001)
    turned = one.seen_from("lumin")
    assert turned is not None
    assert (turned.difference.value, turned.difference.low, turned.difference.high) == (
        0.1,
        0.05,
        0.15,
    )
    assert (verdict(one), verdict(turned)) == ("worse", "better")
    assert one.seen_from("st-i") is None


def test_a_model_that_was_not_compared_claims_nothing() -> None:
    assert headline(RESULTS, []).lead == "LUMIN was not compared with another model."


def test_baselines_alone_claim_nothing() -> None:
    assert "no model to compare" in headline([result("cox-clinical")], []).lead


@pytest.mark.parametrize(("horizon", "metric"), [(None, "Harrell's C"), (1826.0, "AUC")])
def test_without_a_horizon_the_summary_is_about_concordance(
    horizon: float | None, metric: str
) -> None:
    numbers = {name: Estimate(0.7, 0.6, 0.8) for name in ("auc", "harrell_c")}
    results = [
        replace(one, horizon=horizon, metrics=numbers)
        for one in (result("cox-clinical"), result("kemm"))
    ]
    sets = [
        ComparisonSet(
            "test",
            name,
            "bootstrap",
            ("kemm", "cox-clinical"),
            (Comparison("kemm", "cox-clinical", name, Estimate(0.1, 0.05, 0.15), 0.001),),
            (),
        )
        for name in ("auc", "harrell_c")
    ]
    said = headline(results, sets)
    assert said.lead == f"KEMM beat the one model it was compared with on {metric}: Cox (clinical)."
    assert said.points[0].startswith(f"The {metric} of KEMM was 0.700")
