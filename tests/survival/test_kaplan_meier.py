from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lifelines import KaplanMeierFitter

from sequela.errors import UndefinedMetricError
from sequela.survival.kaplan_meier import kaplan_meier

ROUNDED = 5.1e-5  # torchsurv keeps four decimals


def test_without_censoring_survival_is_the_share_still_alive() -> None:
    time = np.array([3.0, 1.0, 4.0, 1.0, 5.0])
    curve = kaplan_meier(time, np.ones(5, dtype=bool))
    asked = np.array([0.0, 1.0, 2.0, 3.0, 4.5, 5.0, 9.0])
    np.testing.assert_allclose(curve.at(asked), [(time > one).mean() for one in asked])
    np.testing.assert_allclose(curve.at(asked, left=True), [(time >= one).mean() for one in asked])
    np.testing.assert_allclose(curve.at_risk(asked), [(time >= one).sum() for one in asked])


def test_delayed_entry_agrees_with_lifelines(made: Any) -> None:
    late = made.entry > 3
    entry = np.where(late, made.entry, -1.0)
    ours = kaplan_meier(made.time, made.event == 1, entry=entry)
    # lifelines counts a patient who enters at t as at risk at t; a hair later is R's convention.
    theirs = KaplanMeierFitter().fit(made.time, made.event == 1, entry=entry + 1e-6)
    np.testing.assert_allclose(
        ours.at(ours.time), theirs.survival_function_at_times(ours.time), rtol=1e-10
    )


def test_a_patient_who_weighs_two_stands_twice(made: Any) -> None:
    weight = 1.0 + (np.arange(len(made.time)) % 3)
    weighed = kaplan_meier(made.time, made.event == 1, weight=weight)
    repeat = np.repeat(np.arange(len(made.time)), weight.astype(int))
    repeated = kaplan_meier(made.time[repeat], made.event[repeat] == 1)
    np.testing.assert_allclose(weighed.survival, repeated.survival)
    np.testing.assert_allclose(weighed.log_variance, repeated.log_variance)


def test_limits_enclose_the_curve_and_do_not_exist_at_one_and_zero() -> None:
    curve = kaplan_meier(np.array([2.0, 3.0, 3.5, 4.0]), np.array([True, True, False, True]))
    low, high = curve.interval(np.array([1.0, 2.0, 3.0, 4.0]))
    assert np.isnan(low[[0, 3]]).all()
    assert np.isnan(high[[0, 3]]).all()
    middle = curve.at(np.array([2.0, 3.0]))
    assert (low[1:3] < middle).all()
    assert (middle < high[1:3]).all()
    assert curve.standard_error(np.array([4.0]))[0] == 0.0


def test_a_median_that_is_not_reached_is_none_and_one_on_a_step_is_its_middle() -> None:
    alive = kaplan_meier(np.array([1.0, 2.0, 3.0]), np.array([True, False, False]))
    assert alive.median()[0] is None
    level = kaplan_meier(np.array([1.0, 2.0, 5.0, 6.0]), np.ones(4, dtype=bool))
    assert level.median()[0] == 3.5


def test_a_mean_past_follow_up_is_undefined() -> None:
    curve = kaplan_meier(np.array([1.0, 2.0, 3.0]), np.array([True, False, False]))
    with pytest.raises(UndefinedMetricError, match="ends at day 3"):
        curve.restricted_mean(4.0)
    everybody_gone = kaplan_meier(np.array([1.0, 3.0]), np.array([True, True]))
    assert everybody_gone.restricted_mean(10.0)[0] == pytest.approx(2.0)


def test_torchsurv_has_the_same_curve(shared_reference: Path) -> None:
    path = shared_reference / "torchsurv" / "benchmark_kaplan_meier.json"
    for case in json.loads(path.read_text()):
        curve = kaplan_meier(np.array(case["time"], dtype=float), np.array(case["status"]) == 1)
        times = np.array(case["times"], dtype=float)
        np.testing.assert_allclose(curve.at(times), case["surv_prob_survival"], atol=ROUNDED)
