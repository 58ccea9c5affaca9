from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from lifelines import CoxPHFitter

from sequela.errors import UndefinedMetricError
from sequela.survival.cox import fit_cox
from sequela.survival.cox_likelihood import exposure, partial_likelihood, score_residuals

LIFELINES = 1e-5  # lifelines stops its Newton steps early; our derivatives are checked below


def late(made: Any) -> np.ndarray:
    return np.where(made.entry > 3, made.entry, -1.0)


@pytest.mark.parametrize("ties", ["efron", "breslow"])
@pytest.mark.parametrize("delayed", [False, True])
def test_gradient_and_information_are_the_derivatives_of_the_likelihood(
    made: Any, ties: str, *, delayed: bool
) -> None:
    sets = exposure(
        made.time,
        made.event == 1,
        entry=late(made) if delayed else None,
        strata=made.stratum,
        ties=ties,
    )
    at, hair = np.array([0.4, -0.2, 0.1]), 1e-5
    here = partial_likelihood(made.covariates, at, sets)
    for feature, unit in enumerate(np.eye(3)):
        there = partial_likelihood(made.covariates, at + hair * unit, sets)
        back = partial_likelihood(made.covariates, at - hair * unit, sets)
        slope = (there.log_likelihood - back.log_likelihood) / (2 * hair)
        curve = (back.gradient - there.gradient) / (2 * hair)
        assert here.gradient[feature] == pytest.approx(slope, abs=1e-6)
        np.testing.assert_allclose(here.information[feature], curve, atol=1e-5)
    residuals = score_residuals(made.covariates, sets, here)
    np.testing.assert_allclose(residuals.sum(axis=0), here.gradient, atol=1e-10)


def test_strata_agree_with_lifelines(made: Any) -> None:
    frame = pd.DataFrame(made.covariates, columns=["a", "b", "c"])
    frame = frame.assign(time=made.time, event=made.event == 1, stratum=made.stratum)
    theirs = CoxPHFitter().fit(frame, "time", "event", strata=["stratum"])
    ours = fit_cox(made.covariates, made.time, made.event == 1, strata=made.stratum)
    np.testing.assert_allclose(ours.coefficients, theirs.params_, atol=LIFELINES)
    np.testing.assert_allclose(ours.standard_error, theirs.standard_errors_, atol=LIFELINES)
    assert ours.log_likelihood == pytest.approx(theirs.log_likelihood_, rel=1e-9)
    for stratum in range(3):
        rows = ours.baseline_stratum == stratum
        assert (np.diff(ours.baseline_time[rows]) > 0).all()
        assert (np.diff(ours.baseline_hazard[rows]) > 0).all()


def test_patients_who_enter_late_agree_with_lifelines(made: Any) -> None:
    entry = np.where(made.entry > 3, made.entry, 0.0)
    frame = pd.DataFrame(made.covariates, columns=["a", "b", "c"])
    frame = frame.assign(time=made.time, event=made.event == 1, entry=entry)
    theirs = CoxPHFitter().fit(frame, "time", "event", entry_col="entry")
    ours = fit_cox(made.covariates, made.time, made.event == 1, entry=entry)
    np.testing.assert_allclose(ours.coefficients, theirs.params_, atol=LIFELINES)


def test_units_and_origins_of_covariates_do_not_matter(made: Any) -> None:
    plain = fit_cox(made.covariates, made.time, made.event == 1)
    scale, shift = np.array([1e6, 1.0, 1e-5]), np.array([1e8, 0.0, 1.0])
    moved = fit_cox(made.covariates * scale + shift, made.time, made.event == 1)
    np.testing.assert_allclose(moved.coefficients * scale, plain.coefficients, rtol=1e-6)
    days = np.array([5.0, 20.0])
    np.testing.assert_allclose(
        moved.survival(made.covariates * scale + shift, days),
        plain.survival(made.covariates, days),
        rtol=1e-6,
    )


def test_rows_that_stand_twice_add_nothing_once_they_are_one_patient(made: Any) -> None:
    rows = np.arange(len(made.time))
    once = fit_cox(made.covariates, made.time, made.event == 1, ties="breslow", cluster=rows)
    twice = np.tile(rows, 2)
    doubled = fit_cox(
        made.covariates[twice],
        made.time[twice],
        made.event[twice] == 1,
        ties="breslow",
        cluster=twice,
    )
    np.testing.assert_allclose(doubled.coefficients, once.coefficients, rtol=1e-9)
    np.testing.assert_allclose(doubled.standard_error, once.standard_error, rtol=1e-8)
    assert (np.sqrt(np.diag(doubled.naive_variance)) < doubled.standard_error).all()


def test_predicted_survival_falls_from_one_and_matches_martingales(made: Any) -> None:
    model = fit_cox(made.covariates, made.time, made.event == 1, ties="breslow")
    days = np.array([0.0, 3.0, 10.0, 30.0])
    survival = model.survival(made.covariates, days)
    assert (survival[:, 0] == 1).all()
    assert (np.diff(survival, axis=1) <= 0).all()
    # Breslow: expected events over everybody's own follow-up equal the events observed.
    own = np.array(
        [
            -np.log(model.survival(made.covariates[[row]], made.time[[row]])[0, 0])
            for row in range(len(made.time))
        ]
    )
    assert own.sum() == pytest.approx(model.events)


def test_the_three_tests_agree_where_the_effect_is_small(made: Any) -> None:
    model = fit_cox(made.covariates[:, [2]], made.time, made.event == 1)
    statistics = [model.wald.statistic, model.likelihood_ratio.statistic, model.score.statistic]
    np.testing.assert_allclose(statistics, statistics[0], rtol=0.05, atol=0.01)
    assert model.wald.p == pytest.approx(model.wald_p()[0])


def test_a_ridge_shrinks_and_makes_the_impossible_possible(made: Any) -> None:
    free = fit_cox(made.covariates, made.time, made.event == 1)
    tied = fit_cox(made.covariates, made.time, made.event == 1, ridge=50.0)
    assert np.linalg.norm(tied.coefficients) < np.linalg.norm(free.coefficients)
    twins = np.column_stack([made.covariates[:, 0], made.covariates[:, 0]])
    with pytest.raises(UndefinedMetricError, match="combination"):
        fit_cox(twins, made.time, made.event == 1)
    shared = fit_cox(twins, made.time, made.event == 1, ridge=1.0)
    assert shared.coefficients[0] == pytest.approx(shared.coefficients[1])


def test_separation_constants_and_no_event_are_undefined(made: Any) -> None:
    event = made.event == 1
    with pytest.raises(UndefinedMetricError, match="separates"):
        fit_cox(event.astype(float)[:, None], made.time, event)
    with pytest.raises(UndefinedMetricError, match="do not vary"):
        fit_cox(np.ones((len(event), 1)), made.time, event)
    with pytest.raises(UndefinedMetricError, match="found none"):
        fit_cox(made.covariates, made.time, np.zeros_like(event))


def test_huge_risks_do_not_overflow(made: Any) -> None:
    sets = exposure(made.time, made.event == 1)
    far = partial_likelihood(made.covariates, np.array([400.0, 0.0, 0.0]), sets)
    assert np.isfinite(far.log_likelihood)
