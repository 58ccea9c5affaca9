from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl
import pytest

from sequela.errors import UndefinedMetricError
from sequela.evaluation.predictions import Predictions
from sequela.evaluation.rows import Rows, models_of
from sequela.evaluation.stratification import (
    RiskGroups,
    free_curve,
    group_test,
    hazard_ratio,
    incidence,
    numbers_at_risk,
    outcome_counts,
    risk_groups,
)
from sequela.survival.aalen_johansen import aalen_johansen


def halves(rows: Rows) -> RiskGroups:
    return RiskGroups((0.0,), rows.risk >= np.median(rows.risk))


@pytest.fixture
def rows(rows_of: Callable[..., Rows]) -> Rows:
    generator = np.random.default_rng(8)
    risk = generator.normal(size=200)
    time = np.ceil(generator.exponential(300 * np.exp(-0.7 * risk)))
    return rows_of(time, generator.choice(3, size=200, p=[0.3, 0.5, 0.2]), risk)


def test_the_cut_is_the_validation_median_and_a_patient_on_it_is_high(
    predicted: Callable[..., Predictions],
) -> None:
    one = predicted(variants={"m": 0.5})
    validation = one.table.filter(pl.col("split") == "validation")["risk"].median()
    moved = one.table.with_columns(
        risk=pl.when(pl.col("patient_id") == "p0050").then(validation).otherwise("risk")
    )
    (model,) = models_of([Predictions(moved, one.provenance)])
    groups = risk_groups(model)
    assert groups.cuts == (validation,)
    place = [model.test.patients[code] for code in model.test.patient].index("p0050")
    assert groups.high[place]
    np.testing.assert_array_equal(groups.high, model.test.risk >= validation)


def test_naming_low_high_turns_the_ratio_around(rows: Rows) -> None:
    groups = halves(rows)
    there = hazard_ratio(rows, groups, 1, level=0.95)
    back = hazard_ratio(rows, RiskGroups(groups.cuts, ~groups.high), 1, level=0.95)
    assert there.value is not None
    assert there.value > 1
    assert there.value == pytest.approx(1 / back.value)
    assert there.low == pytest.approx(1 / back.high)
    assert there.p == pytest.approx(back.p)


def test_a_group_without_events_has_no_hazard_ratio(rows: Rows) -> None:
    groups = RiskGroups((0.0,), rows.event == 1)
    with pytest.raises(UndefinedMetricError, match="low-risk group"):
        hazard_ratio(rows, groups, 1, level=0.95)
    nobody = RiskGroups((0.0,), np.zeros(len(rows), dtype=bool))
    with pytest.raises(UndefinedMetricError, match="two risk groups"):
        hazard_ratio(rows, nobody, 1, level=0.95)
    assert "two risk groups" in str(group_test(rows, nobody, 1)["reason"])


def test_rows_that_stand_twice_as_one_patient_give_no_smaller_p(
    rows: Rows, rows_of: Callable[..., Rows]
) -> None:
    twice = np.repeat(np.arange(len(rows)), 2)
    doubled = rows_of(rows.time[twice], rows.event[twice], rows.risk[twice], patient=twice)
    once = rows_of(rows.time, rows.event, rows.risk)
    plain, robust = (group_test(one, halves(one), 1) for one in (once, doubled))
    assert plain["method"] == "log-rank"
    assert robust["method"] == "score test, robust by patient"
    assert robust["statistic"] == pytest.approx(plain["statistic"], rel=0.1)


def test_counts_add_up_and_the_excluded_are_the_censored(rows: Rows) -> None:
    day = 250.0
    found = outcome_counts(rows, 1, day, level=0.95)
    kinds = ("event", "event_free", "competing", "excluded")
    assert sum(int(found[kind]) for kind in kinds) == len(rows)
    assert found["excluded"] == ((rows.event == 0) & (rows.time <= day)).sum() > 0
    rate = found["event_rate"]
    assert rate == found["event"] / (len(rows) - found["excluded"])


def test_the_incidence_and_its_curve_are_aalen_johansens(rows: Rows) -> None:
    estimate = incidence(rows, 1, 250.0, level=0.95)
    expected = aalen_johansen(rows.time, rows.event).at(np.array([250.0]))[0]
    assert estimate.value == pytest.approx(expected)
    assert estimate.low < estimate.value < estimate.high
    curve = free_curve(rows, 1, level=0.95, points=5000)
    assert curve["kind"] == "aalen-johansen"
    at = np.searchsorted(curve["time"], 250.0, side="right") - 1
    assert curve["estimate"][at] == pytest.approx(1 - expected)
    alone = rows.take(rows.event != 2)
    assert free_curve(alone, 1, level=0.95, points=30)["kind"] == "kaplan-meier"
    with pytest.raises(UndefinedMetricError, match="no row"):
        incidence(rows.take(rows.event == 9), 1, 250.0, level=0.95)


def test_a_plotted_curve_falls_and_stays_between_its_limits(rows: Rows) -> None:
    curve = free_curve(rows.take(rows.event != 2), 1, level=0.95, points=40)
    estimate = np.array(curve["estimate"])
    assert len(estimate) <= 41
    assert (np.diff(estimate) <= 0).all()
    for low, value, high in zip(curve["low"], estimate, curve["high"], strict=True):
        assert low is None or low <= value <= high


def test_everybody_is_at_risk_at_first(rows: Rows) -> None:
    assert numbers_at_risk(rows, np.array([0.0, 1e9])) == [len(rows), 0]
