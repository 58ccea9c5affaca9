"""The penalty of a Cox model follows what its own patients show."""

from __future__ import annotations

import numpy as np
import pytest

from sequela.survival.cox import fit_cox
from sequela.survival.cox_likelihood import exposure, partial_likelihood
from sequela.survival.ridge_choice import BLOCK_RIDGES, RIDGES, chosen_ridge, chosen_ridges


def _cohort(effect: float, patients: int = 200, features: int = 12) -> tuple[np.ndarray, ...]:
    generator = np.random.default_rng(4)
    covariates = generator.standard_normal((patients, features))
    rate = np.exp(effect * covariates[:, 0] - effect * covariates[:, 1])
    death, censored = generator.exponential(1 / rate), generator.exponential(1.5, patients)
    return covariates, np.minimum(death, censored), death <= censored


def test_noise_asks_for_the_strongest_penalty_and_a_signal_for_a_weak_one() -> None:
    assert chosen_ridge(*_cohort(0.0)) == RIDGES[-1]
    assert chosen_ridge(*_cohort(1.0)) <= 10.0


@pytest.mark.parametrize("effect", [0.15, 0.5])
def test_the_penalty_serves_other_patients_about_as_well_as_the_best(effect: float) -> None:
    covariates, time, event = _cohort(effect, patients=400)
    train, test = slice(0, 200), slice(200, 400)
    truth = effect * (covariates[test, 0] - covariates[test, 1])
    chosen = chosen_ridge(covariates[train], time[train], event[train])

    def far(ridge: float) -> float:
        cox = fit_cox(covariates[train], time[train], event[train], ridge=ridge)
        return float(((cox.predictor(covariates[test]) - truth) ** 2).mean())

    assert far(chosen) <= 1.5 * min(map(far, RIDGES))
    assert far(chosen) < max(map(far, RIDGES)) / 2


def test_the_order_of_patients_has_no_say() -> None:
    covariates, time, event = _cohort(0.3)
    other = np.random.default_rng(0).permutation(len(time))
    assert chosen_ridge(covariates, time, event) == chosen_ridge(
        covariates[other], time[other], event[other]
    )


def test_a_covariate_that_varies_in_one_part_alone_is_no_obstacle() -> None:
    covariates, time, event = _cohort(0.3)
    rare = (np.arange(len(time)) == 17).astype(float)
    assert chosen_ridge(np.column_stack([covariates, rare]), time, event) in RIDGES


def test_a_block_of_noise_gets_a_stronger_penalty_than_a_block_with_a_signal() -> None:
    covariates, time, event = _cohort(1.0)
    noise = np.random.default_rng(5).normal(size=(len(time), 10))
    both = np.column_stack([covariates[:, :2], noise])
    block = np.repeat([0, 1], [2, 10])
    chosen = chosen_ridges(both, block, time, event)
    assert set(chosen) <= set(BLOCK_RIDGES)
    assert len(set(chosen[:2])) == len(set(chosen[2:])) == 1
    assert chosen[2] > chosen[0]


def test_one_block_is_one_penalty_for_all() -> None:
    covariates, time, event = _cohort(0.3)
    block = np.zeros(covariates.shape[1], dtype=np.int64)
    alike = chosen_ridges(covariates, block, time, event, ridges=RIDGES)
    assert set(alike) == {chosen_ridge(covariates, time, event)}


def test_a_penalty_each_is_the_penalty_of_rescaled_covariates() -> None:
    covariates, time, event = _cohort(0.5)
    each = np.linspace(2.0, 60.0, covariates.shape[1])
    cox = fit_cox(covariates, time, event, ridge=each)
    far = cox.coefficients * covariates.std(axis=0)
    residual = _slope(covariates / covariates.std(axis=0), time, event, far)
    np.testing.assert_allclose(residual, each * far, atol=1e-6)


def _slope(scaled: np.ndarray, time: np.ndarray, event: np.ndarray, at: np.ndarray) -> np.ndarray:
    sets = exposure(time, event, entry=None, strata=None, ties="efron")
    return partial_likelihood(scaled - scaled.mean(axis=0), at, sets).gradient
