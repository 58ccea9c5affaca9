"""The penalty of a Cox model follows what its own patients show."""

from __future__ import annotations

import numpy as np
import pytest

from sequela.survival.cox import fit_cox
from sequela.survival.ridge_choice import RIDGES, chosen_ridge


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
