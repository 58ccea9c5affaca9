from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pytest

from sequela.errors import UndefinedMetricError
from sequela.survival.cox import fit_cox
from sequela.survival.cox_exact import fit_exact_cox


def by_definition(x: np.ndarray, time: np.ndarray, event: np.ndarray, at: np.ndarray) -> float:
    """The likelihood with every choice of tied events written out."""
    total, predictor = 0.0, x @ at
    for moment in np.unique(time[event]):
        tied = np.flatnonzero(event & (time == moment))
        at_risk = np.flatnonzero(time >= moment)
        ways = [predictor[list(way)].sum() for way in combinations(at_risk, len(tied))]
        total += predictor[tied].sum() - np.log(np.exp(ways).sum())
    return total


def few(made: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return made.covariates[:14, :2], np.ceil(made.time[:14] / 8), made.event[:14] > 0


def test_it_is_the_highest_point_of_the_likelihood_written_out(made: Any) -> None:
    data = few(made)
    model = fit_exact_cox(*data)
    top = by_definition(*data, model.coefficients)
    assert model.log_likelihood == pytest.approx(top, rel=1e-12)
    assert model.null_log_likelihood == pytest.approx(by_definition(*data, np.zeros(2)), rel=1e-12)
    step = 1e-3
    curvature = np.empty((2, 2))
    for row, one in enumerate(np.eye(2) * step):
        assert by_definition(*data, model.coefficients + one) < top
        assert by_definition(*data, model.coefficients - one) < top
        for column, other in enumerate(np.eye(2) * step):
            corners = [
                by_definition(*data, model.coefficients + a * one + b * other)
                for a, b in ((1, 1), (1, -1), (-1, 1), (-1, -1))
            ]
            curvature[row, column] = np.dot(corners, [1, -1, -1, 1]) / (4 * step**2)
    np.testing.assert_allclose(model.variance, np.linalg.inv(-curvature), rtol=1e-4)


def test_without_ties_it_is_cox(made: Any) -> None:
    time = made.time + np.random.default_rng(1).uniform(-0.4, 0.4, len(made.time))
    ours = fit_exact_cox(made.covariates, time, made.event == 1)
    theirs = fit_cox(made.covariates, time, made.event == 1)
    np.testing.assert_allclose(ours.coefficients, theirs.coefficients, rtol=1e-9)
    np.testing.assert_allclose(ours.variance, theirs.variance, rtol=1e-9)
    assert ours.log_likelihood == pytest.approx(theirs.log_likelihood, rel=1e-12)


def test_many_tied_events_do_not_overflow() -> None:
    generator = np.random.default_rng(3)
    group = np.repeat([0.0, 1.0], 300)[:, None]
    event = generator.uniform(size=600) < np.where(group[:, 0] == 1, 0.6, 0.4)
    model = fit_exact_cox(group, np.ones(600), event)
    table = [
        [(event & (group[:, 0] == g)).sum(), (~event & (group[:, 0] == g)).sum()] for g in (0, 1)
    ]
    odds_ratio = table[1][0] * table[0][1] / (table[1][1] * table[0][0])
    assert model.coefficients[0] == pytest.approx(np.log(odds_ratio), rel=0.01)
    assert np.isfinite(model.log_likelihood)


def test_separation_is_undefined() -> None:
    time = np.array([1.0, 2.0, 3.0, 4.0])
    with pytest.raises(UndefinedMetricError):
        fit_exact_cox(-time[:, None], time, np.ones(4, dtype=bool))
