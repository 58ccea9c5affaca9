from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sequela.survival.aalen_johansen import aalen_johansen
from sequela.survival.cox import fit_cox
from sequela.survival.fine_gray import fit_fine_gray


def written_out(made: Any, coefficients: np.ndarray) -> np.ndarray:
    """The score of Fine & Gray 1999, eq. 6, by loops over events and patients."""

    def uncensored_before(t: float) -> float:
        curve = 1.0
        for u in np.unique(made.time[(made.event == 0) & (made.time < t)]):
            curve *= 1 - ((made.time == u) & (made.event == 0)).sum() / (made.time >= u).sum()
        return curve

    relative = np.exp(made.covariates @ coefficients)
    score = np.zeros(len(coefficients))
    for row in np.flatnonzero(made.event == 1):
        weight = np.zeros(len(made.time))
        for other, (time, event) in enumerate(zip(made.time, made.event, strict=True)):
            if time >= made.time[row]:
                weight[other] = relative[other]
            elif event > 1:
                ratio = uncensored_before(made.time[row]) / uncensored_before(time)
                weight[other] = relative[other] * ratio
        score += made.covariates[row] - weight @ made.covariates / weight.sum()
    return score


def test_the_score_written_out_is_zero_at_the_coefficients(made: Any) -> None:
    model = fit_fine_gray(made.covariates, made.time, made.event)
    assert np.abs(written_out(made, model.coefficients)).max() < 1e-8
    assert np.abs(written_out(made, model.coefficients + 0.01)).min() > 0.1


def test_without_competing_events_it_is_robust_cox(made: Any) -> None:
    event = (made.event == 1).astype(int)
    ours = fit_fine_gray(made.covariates, made.time, event)
    everyone = np.arange(len(event))
    cox = fit_cox(made.covariates, made.time, event == 1, cluster=everyone, ties="breslow")
    np.testing.assert_allclose(ours.coefficients, cox.coefficients, rtol=1e-10)
    np.testing.assert_allclose(ours.variance, cox.variance, rtol=1e-8)
    assert ours.log_likelihood == pytest.approx(cox.log_likelihood, rel=1e-12)


def test_the_variance_is_that_of_leaving_patients_out(made: Any) -> None:
    """The jackknife, which estimates the censoring curve anew; doubles make its steps small."""
    first = (made.covariates[:60, :2], made.time[:60], made.event[:60])
    copies = 6
    parts = [np.concatenate([part] * copies) for part in first]
    model = fit_fine_gray(*parts)
    without = [
        fit_fine_gray(*(np.delete(part, one, axis=0) for part in parts)).coefficients
        for one in range(60)
    ]
    moved = np.array(without) - model.coefficients
    jackknife = np.sqrt(copies * (moved**2).sum(axis=0))
    np.testing.assert_allclose(model.standard_error, jackknife, rtol=0.03)


@pytest.mark.parametrize("ties", ["breslow", "efron"])
def test_units_order_and_the_names_of_causes_do_not_matter(made: Any, ties: Any) -> None:
    one = fit_fine_gray(made.covariates, made.time, made.event, ties=ties)
    turned = np.random.default_rng(0).permutation(len(made.time))
    other = fit_fine_gray(
        10 * made.covariates[turned],
        made.time[turned] / 365,
        7 * made.event[turned],
        cause=7,
        ties=ties,
    )
    np.testing.assert_allclose(10 * other.coefficients, one.coefficients, rtol=1e-9)
    np.testing.assert_allclose(10 * other.standard_error, one.standard_error, rtol=1e-9)


def test_with_no_effect_the_incidence_is_aalen_johansens(made: Any) -> None:
    """A covariate balanced within every patient's double has coefficient 0."""
    double = np.repeat([0, 1], len(made.time))[:, None].astype(float)
    time, event = np.tile(made.time, 2), np.tile(made.event, 2)
    model = fit_fine_gray(double, time, event)
    assert model.coefficients[0] == pytest.approx(0, abs=1e-12)
    days = np.array([10.0, 30.0, 50.0])
    curve = aalen_johansen(made.time, made.event)
    np.testing.assert_allclose(model.incidence(double[:1], days)[0], curve.at(days), atol=0.01)


def test_strata_that_are_copies_have_the_coefficients_of_one(made: Any) -> None:
    alone = fit_fine_gray(made.covariates, made.time, made.event)
    twice = [np.concatenate([part, part]) for part in (made.covariates, made.time, made.event)]
    copies = np.repeat([4, 9], len(made.time))
    both = fit_fine_gray(*twice, strata=copies)
    np.testing.assert_allclose(both.coefficients, alone.coefficients, rtol=1e-9)
    np.testing.assert_allclose(2 * both.variance, alone.variance, rtol=1e-8)
    days = np.array([10.0, 40.0])
    np.testing.assert_allclose(
        both.incidence(made.covariates[:3], days, stratum=1),
        alone.incidence(made.covariates[:3], days),
        rtol=1e-9,
    )


def test_the_likelihood_of_strata_is_that_of_each_added_up(made: Any) -> None:
    model = fit_fine_gray(made.covariates, made.time, made.event, strata=made.stratum)

    def log_likelihood(coefficients: np.ndarray) -> float:
        total = 0.0
        for stratum in range(3):
            rows = made.stratum == stratum
            total += literal(made.covariates[rows], made.time[rows], made.event[rows], coefficients)
        return total

    here = log_likelihood(model.coefficients)
    assert here == pytest.approx(model.log_likelihood, rel=1e-10)
    for moved in (0.02, -0.02):
        for feature in range(3):
            aside = model.coefficients.copy()
            aside[feature] += moved
            assert log_likelihood(aside) < here


def literal(
    covariates: np.ndarray,
    time: np.ndarray,
    event: np.ndarray,
    coefficients: np.ndarray,
    entry: np.ndarray | None = None,
) -> float:
    """The weighted log partial likelihood by loops, weights from those at risk and survival."""
    begun = np.full(len(time), -1.0) if entry is None else entry
    moments = np.unique(time)
    at_risk = np.array([((begun < u) & (time >= u)).sum() for u in moments])
    events = np.array([((event > 0) & (time == u)).sum() for u in moments])
    censored = np.array([((event == 0) & (time == u)).sum() for u in moments])
    base = at_risk if entry is None else at_risk - events
    kept = 1 - np.divide(censored, base, out=np.zeros(len(base)), where=base > 0)
    level = np.append(1.0, kept.cumprod())[:-1]
    if entry is not None:
        survival = np.append(1.0, np.cumprod(1 - events / at_risk))[:-1]
        level = at_risk / survival  # proportional to G(t-) H(t-)
    relative, total = np.exp(covariates @ coefficients), 0.0
    for row in np.flatnonzero(event == 1):
        here = level[moments == time[row]][0]
        weight = ((begun < time[row]) & (time >= time[row])).astype(float)
        for other in np.flatnonzero((event > 1) & (time < time[row])):
            weight[other] = here / level[moments == time[other]][0]
        total += covariates[row] @ coefficients - np.log(weight @ relative)
    return float(total)


def test_late_entry_weighs_those_who_stay_by_who_would_still_have_entered(made: Any) -> None:
    entry = 0.4 * made.entry
    model = fit_fine_gray(made.covariates, made.time, made.event, entry=entry)
    parts = (made.covariates, made.time, made.event)
    here = literal(*parts, model.coefficients, entry)
    assert here == pytest.approx(model.log_likelihood, rel=1e-10)
    for feature in range(3):
        aside = np.eye(3)[feature] * 0.02
        assert literal(*parts, model.coefficients + aside, entry) < here
        assert literal(*parts, model.coefficients - aside, entry) < here
    early = fit_fine_gray(*parts, entry=np.zeros(len(entry)), ties="efron")
    plain = fit_fine_gray(*parts, ties="efron")
    np.testing.assert_allclose(early.coefficients, plain.coefficients, rtol=1e-9)


def test_with_late_entry_and_no_effect_the_steps_are_aalen_johansens(made: Any) -> None:
    """Geskus 2011: the product limit of the weighted risk sets is the incidence itself."""
    entry = 0.4 * made.entry
    double = np.repeat([0, 1], len(made.time))[:, None].astype(float)
    time, event, begun = (np.tile(part, 2) for part in (made.time, made.event, entry))
    model = fit_fine_gray(double, time, event, entry=begun)
    steps = np.diff(model.baseline_hazard, prepend=0.0)
    curve = aalen_johansen(made.time, made.event, entry=entry)
    product = 1 - np.cumprod(1 - steps)
    np.testing.assert_allclose(product, curve.at(model.baseline_time), rtol=1e-9)


def test_rows_that_stand_twice_add_nothing_once_they_are_one_patient(made: Any) -> None:
    alone = fit_fine_gray(made.covariates, made.time, made.event)
    twice = [np.concatenate([part, part]) for part in (made.covariates, made.time, made.event)]
    patient = np.tile(np.arange(len(made.time)), 2)
    both = fit_fine_gray(*twice, cluster=patient)
    np.testing.assert_allclose(both.coefficients, alone.coefficients, rtol=1e-9)
    np.testing.assert_allclose(both.variance, alone.variance, rtol=1e-8)
