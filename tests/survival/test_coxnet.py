"""Laws of the elastic net: its optimality, its ends, and what it chooses."""

from __future__ import annotations

import numpy as np
import pytest
from jaxtyping import Float

from sequela.survival.cox import fit_cox
from sequela.survival.cox_likelihood import exposure, partial_likelihood
from sequela.survival.coxnet import fit_coxnet, fit_path, penalty_path


def planted(
    patients: int = 200, features: int = 12
) -> tuple[
    Float[np.ndarray, "patient feature"],
    Float[np.ndarray, " patient"],
    np.ndarray,
]:
    """The first two covariates act, the others do not."""
    random = np.random.default_rng(4)
    covariates = random.normal(size=(patients, features))
    time = random.exponential(np.exp(-covariates[:, 0] + 0.7 * covariates[:, 1])).round(2) + 0.01
    return (
        (covariates - covariates.mean(0)) / covariates.std(0),
        time,
        random.random(patients) < 0.7,
    )


@pytest.mark.parametrize("mixing", [0.3, 1.0])
def test_the_gradient_is_balanced_by_the_penalty_at_every_point_of_the_path(mixing: float) -> None:
    covariates, time, event = planted()
    sets = exposure(time, event)
    penalties = penalty_path(covariates, sets, mixing)
    path = fit_path(covariates, sets, penalties, mixing)
    assert not path[0].any()
    assert (path[-1] != 0).sum() >= 8
    for penalty, found in zip(penalties, path, strict=True):
        slope = partial_likelihood(covariates, found, sets).gradient / event.sum()
        slope = slope - penalty * (1 - mixing) * found
        lasso = penalty * mixing
        inside = found == 0
        assert (np.abs(slope[inside]) <= lasso + 1e-7).all()
        np.testing.assert_allclose(slope[~inside], lasso * np.sign(found[~inside]), atol=1e-7)


def test_without_absolute_values_it_is_ridge_and_without_penalty_cox() -> None:
    covariates, time, event = planted()
    sets = exposure(time, event)
    for penalty in (0.0, 0.2):
        (found,) = fit_path(covariates, sets, np.array([penalty]), mixing=0.0)
        cox = fit_cox(covariates, time, event, ridge=penalty * event.sum())
        np.testing.assert_allclose(found, cox.coefficients, atol=1e-7)


def test_what_acts_is_kept_and_units_do_not_matter() -> None:
    covariates, time, event = planted()
    found = fit_coxnet(covariates, time, event)
    assert found.coefficients[0] > 0.5
    assert found.coefficients[1] < -0.3
    assert np.abs(found.coefficients[2:]).max() < 0.15
    assert (found.coefficients == 0).any()
    units = np.geomspace(0.01, 100, covariates.shape[1])
    again = fit_coxnet(covariates * units + 5, time, event)
    np.testing.assert_allclose(again.coefficients * units, found.coefficients, atol=1e-6)


def test_of_noise_little_is_kept() -> None:
    covariates, _, event = planted()
    time = np.random.default_rng(8).exponential(size=len(event))
    assert np.abs(fit_coxnet(covariates, time, event).coefficients).max() < 0.1
