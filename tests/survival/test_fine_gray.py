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
