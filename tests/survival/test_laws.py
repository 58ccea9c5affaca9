"""Laws that every estimator keeps on any cohort with ties, and oracles on fresh ones."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from lifelines.statistics import multivariate_logrank_test
from sksurv.linear_model import CoxPHSurvivalAnalysis
from sksurv.metrics import brier_score, concordance_index_ipcw
from sksurv.nonparametric import cumulative_incidence_competing_risks, kaplan_meier_estimator
from sksurv.util import Surv

from sequela.survival.aalen_johansen import aalen_johansen
from sequela.survival.censoring import censoring_weights
from sequela.survival.concordance import concordance
from sequela.survival.cox import fit_cox
from sequela.survival.gray import gray
from sequela.survival.kaplan_meier import kaplan_meier
from sequela.survival.log_rank import log_rank

DAYS = np.array([3.0, 6.0])
NOWHERE = 1e-9


class Cohort:
    """Patients with many ties in time, risk and cause."""

    def __init__(self, seed: int, count: int = 60) -> None:
        generator = np.random.default_rng(seed)
        self.risk = np.round(generator.normal(size=count), 1)
        onset = np.ceil(generator.exponential(6 * np.exp(-0.6 * self.risk)))
        other = np.ceil(generator.exponential(14, count))
        censor = np.ceil(generator.uniform(0, 14, count))
        self.time = np.minimum(np.minimum(onset, other), censor)
        self.cause = np.where(self.time == onset, 1, np.where(self.time == other, 2, 0))
        self.cause[np.flatnonzero(self.time == self.time.max())[:1]] = 0
        self.group = generator.integers(2, size=count)

    @property
    def event(self) -> np.ndarray:
        return self.cause == 1

    def take(self, rows: np.ndarray) -> Cohort:
        taken = object.__new__(Cohort)
        for name in ("risk", "time", "cause", "group"):
            setattr(taken, name, getattr(self, name)[rows])
        return taken


def numbers(cohort: Cohort, scale: float = 1.0) -> dict[str, object]:
    """What must not depend on order or unit, of a cohort whose time was multiplied by `scale`."""
    time, event, risk = cohort.time * scale, cohort.event, cohort.risk
    curve, incidence = kaplan_meier(time, event), aalen_johansen(time, cohort.cause)
    cox = fit_cox(risk[:, None], time, event)
    harrell, uno = (concordance(time, event, risk, pairs=kind) for kind in ("harrell", "uno"))
    mean, error = curve.restricted_mean(6.0 * scale)
    return {
        "survival": curve.at(DAYS * scale),
        "its error": curve.standard_error(DAYS * scale),
        "its limits": np.stack(curve.interval(DAYS * scale)),
        "mean": [mean / scale, error / scale],
        "incidence": incidence.at(DAYS * scale),
        "its deviation": incidence.standard_error(DAYS * scale),
        "log-rank": log_rank(time, event, cohort.group).statistic,
        "peto": log_rank(time, event, cohort.group, rho=1.0).statistic,
        "gray": gray(time, cohort.cause, cohort.group).statistic,
        "cox": [*cox.coefficients, *cox.standard_error, cox.log_likelihood, cox.score.statistic],
        "harrell": [harrell.value, harrell.standard_error()],
        "uno": [uno.value, uno.standard_error()],
    }


def same(ours: dict[str, object], theirs: dict[str, object], *, but: tuple[str, ...] = ()) -> None:
    for name in set(ours) - set(but):
        np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-7, atol=1e-10, err_msg=name)


SEEDS = st.integers(0, 10_000)


@settings(max_examples=8, deadline=None)
@given(SEEDS)
def test_row_order_does_not_matter(seed: int) -> None:
    cohort = Cohort(seed)
    order = np.random.default_rng(seed + 1).permutation(len(cohort.time))
    same(numbers(cohort.take(order)), numbers(cohort))


@settings(max_examples=8, deadline=None)
@given(SEEDS, st.sampled_from([1 / 365.25, 1 / 30.4375, 7.0, 86_400.0]))
def test_the_unit_of_time_does_not_matter(seed: int, scale: float) -> None:
    cohort = Cohort(seed)
    same(numbers(cohort, scale), numbers(cohort))


@settings(max_examples=8, deadline=None)
@given(SEEDS)
def test_what_rests_on_the_order_of_times_survives_any_clock_that_runs_forward(seed: int) -> None:
    cohort = Cohort(seed)
    warped = cohort.take(np.arange(len(cohort.time)))
    # 3 and 6 stay where they are; all else moves.
    warped.time = np.interp(cohort.time, [0, 3, 6, 60], [0, 3, 6, 6000])
    warped.time += np.where(cohort.time % 3 > 0, 0.25, 0.0)
    same(numbers(warped), numbers(cohort), but=("mean",))


@settings(max_examples=8, deadline=None)
@given(SEEDS)
def test_only_the_order_of_risks_matters_to_a_concordance(seed: int) -> None:
    cohort = Cohort(seed)
    for kind in ("harrell", "uno"):
        plain = concordance(cohort.time, cohort.event, cohort.risk, pairs=kind)
        for mapped in (np.exp(3 * cohort.risk), cohort.risk**3, 1e-3 * cohort.risk - 7):
            found = concordance(cohort.time, cohort.event, mapped, pairs=kind)
            assert found.value == pytest.approx(plain.value, rel=1e-12)
            assert found.standard_error() == pytest.approx(plain.standard_error(), rel=1e-12)


@settings(max_examples=8, deadline=None)
@given(SEEDS, st.integers(2, 4))
def test_a_cohort_written_out_several_times_says_the_same_more_surely(
    seed: int, times: int
) -> None:
    cohort = Cohort(seed)
    many = cohort.take(np.tile(np.arange(len(cohort.time)), times))
    once, more = numbers(cohort), numbers(many)
    same({name: once[name] for name in ("survival", "incidence")}, more)
    np.testing.assert_allclose(more["its error"], once["its error"] / np.sqrt(times), rtol=1e-9)
    assert more["mean"][0] == pytest.approx(once["mean"][0], rel=1e-12)
    for kind in ("harrell", "uno"):
        assert more[kind][0] == pytest.approx(once[kind][0], rel=1e-12)
    first, second = (
        fit_cox(each.risk[:, None], each.time, each.event, ties="breslow")
        for each in (cohort, many)
    )
    np.testing.assert_allclose(second.coefficients, first.coefficients, rtol=1e-7)
    np.testing.assert_allclose(second.variance, first.variance / times, rtol=1e-7)


@settings(max_examples=8, deadline=None)
@given(SEEDS)
def test_a_patient_who_weighs_k_stands_k_times(seed: int) -> None:
    cohort = Cohort(seed, 40)
    counts = np.random.default_rng(seed).integers(0, 4, 40)
    assume((cohort.time[counts > 0] >= 6).any())
    written = cohort.take(np.repeat(np.arange(40), counts))
    weighed = kaplan_meier(cohort.time, cohort.event, weight=counts.astype(float))
    plain = kaplan_meier(written.time, written.event)
    np.testing.assert_allclose(weighed.at(DAYS), plain.at(DAYS), rtol=1e-12)
    np.testing.assert_allclose(weighed.standard_error(DAYS), plain.standard_error(DAYS))


FRESH = pytest.mark.parametrize("seed", range(100, 112))


@FRESH
def test_cox_on_fresh_ties_is_scikit_survivals(seed: int) -> None:
    cohort = Cohort(seed, 120)
    covariates = np.column_stack([cohort.risk, cohort.group])
    outcome = Surv.from_arrays(cohort.event, cohort.time)
    for ties in ("efron", "breslow"):
        theirs = CoxPHSurvivalAnalysis(ties=ties, tol=1e-14, n_iter=200).fit(covariates, outcome)
        ours = fit_cox(covariates, cohort.time, cohort.event, ties=ties)
        np.testing.assert_allclose(ours.coefficients, theirs.coef_, rtol=1e-8)


@FRESH
def test_curves_on_fresh_ties_are_scikit_survivals_and_lifelines(seed: int) -> None:
    cohort = Cohort(seed, 120)
    times, survival = kaplan_meier_estimator(cohort.event, cohort.time)
    np.testing.assert_allclose(
        kaplan_meier(cohort.time, cohort.event).at(times), survival, rtol=1e-8, atol=1e-12
    )
    times, incidence = cumulative_incidence_competing_risks(cohort.cause, cohort.time)
    for cause in (1, 2):
        ours = aalen_johansen(cohort.time, cohort.cause, cause=cause).at(times)
        np.testing.assert_allclose(ours, incidence[cause], rtol=1e-8, atol=1e-12)
    ours_mean, _ = kaplan_meier(cohort.time, cohort.event).restricted_mean(6.0)
    moments, curve = kaplan_meier_estimator(cohort.event, cohort.time)
    knots, heights = np.append(0.0, moments), np.append(1.0, curve)
    steps = np.diff(np.append(knots[knots < 6], 6.0))
    assert ours_mean == pytest.approx(float(steps @ heights[knots < 6]), rel=1e-8)


@FRESH
def test_the_log_rank_test_on_fresh_ties_is_lifelines(seed: int) -> None:
    cohort = Cohort(seed, 120)
    ours = log_rank(cohort.time, cohort.event, cohort.group)
    theirs = multivariate_logrank_test(cohort.time, cohort.group, cohort.event)
    assert ours.statistic == pytest.approx(theirs.test_statistic, rel=1e-8)
    assert ours.p == pytest.approx(theirs.p_value, rel=1e-8)


@FRESH
def test_unos_c_and_brier_on_fresh_ties_are_scikit_survivals(seed: int) -> None:
    """Where event and censoring tie, scikit-survival leaves R's rule: here none of them do."""
    cohort = Cohort(seed, 120)
    time = cohort.time + np.where(cohort.event, 0.0, 0.5)
    outcome = Surv.from_arrays(cohort.event, time)
    ours = concordance(time, cohort.event, cohort.risk, pairs="uno", horizon=6.0).value
    theirs = concordance_index_ipcw(outcome, outcome, cohort.risk, tau=6.0 + NOWHERE)[0]
    assert ours == pytest.approx(theirs, rel=1e-8)
    forecast = np.exp(-np.exp(0.3 * cohort.risk)[:, None] * DAYS / 20)
    once = np.ones((len(time), 1))
    weights = censoring_weights(time, cohort.event, DAYS[0], weight=once)[:, 0]
    alive = time > DAYS[0]
    ours_brier = float(np.mean(weights * (alive - forecast[:, 0]) ** 2))
    _, (theirs_brier,) = brier_score(outcome, outcome, forecast[:, :1], DAYS[:1])
    assert ours_brier == pytest.approx(theirs_brier, rel=1e-8)
