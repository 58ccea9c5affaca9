from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from sequela.evaluation.conformal import conformal_bounds, lower_bounds
from sequela.evaluation.predictions import Provenance
from sequela.evaluation.rows import ModelRows, Rows
from sequela.evaluation.uncertainty import Resampler, Resampling

GRID = np.linspace(100, 3000, 15)
NONE = Resampler(Resampling(0, 0, 0.95))


def cohort(
    rows_of: Callable[..., Rows], generator: np.random.Generator, count: int, *, competing: bool
) -> tuple[Rows, np.ndarray]:
    """Patients of a model that is wrong in rank and in level, and their true, uncensored times."""
    lift = generator.normal(size=count)
    time = 900 * np.exp(-lift) * generator.weibull(1.4, count)
    other = generator.exponential(2500, count) if competing else np.full(count, np.inf)
    censor = generator.exponential(1500, count)
    first = np.minimum(np.minimum(time, other), censor)
    event = np.where(first == time, 1, np.where(first == other, 2, 0))
    believed = np.exp(0.5 * lift + generator.normal(size=count)) / 2000
    survival = np.exp(-believed[:, None] * GRID)
    rows = rows_of(first, event, believed, survival=survival, grid=tuple(GRID))
    return rows, np.where(time < other, time, np.inf)


def model_of(test: Rows, validation: Rows) -> ModelRows:
    provenance = Provenance(protocol="landmark")
    return ModelRows("m", "m", "m", "death", "test", test, validation, provenance, ((0, 0, 0),))


@pytest.mark.parametrize("competing", [False, True])
def test_bounds_hold_as_often_as_asked_and_the_measured_coverage_says_so(
    rows_of: Callable[..., Rows], competing: bool
) -> None:
    generator = np.random.default_rng(1)
    held, measured = [], []
    for _ in range(60):
        validation, _ = cohort(rows_of, generator, 300, competing=competing)
        test, truth = cohort(rows_of, generator, 500, competing=competing)
        found = conformal_bounds(model_of(test, validation), 1, 0.9, NONE)
        cut = np.full(500, found["cuts"][0])  # type: ignore[index]
        held.append((truth >= lower_bounds(test.survival, GRID, cut)).mean())
        measured.append(found["coverage"]["value"])  # type: ignore[index]
    assert 0.88 <= np.mean(held) <= 0.92
    assert np.mean(measured) == pytest.approx(np.mean(held), abs=0.006)
    assert 0.005 < np.std(held) < 0.04


def test_without_censoring_the_cut_is_the_order_statistic(rows_of: Callable[..., Rows]) -> None:
    """99 patients at level 0.9: the tenth smallest score, Vovk's (1 - level)(n + 1)."""
    risk = np.random.default_rng(0).permutation(99) / 100 + 0.005
    time, event = np.full(99, 50.0), np.ones(99, dtype=int)
    rows = rows_of(time, event, risk, survival=1 - risk[:, None], grid=(50.0,))
    found = conformal_bounds(model_of(rows, rows), 1, 0.9, NONE)
    assert found["cuts"] == pytest.approx([np.sort(risk)[9]])


def test_the_bound_is_where_the_curve_reaches_the_cut() -> None:
    hazard = np.array([[0.2, 0.6], [0.0, 0.1]])
    grid = np.array([10.0, 30.0])
    cut = -np.expm1(-np.array([0.4, 0.4]))
    np.testing.assert_allclose(lower_bounds(np.exp(-hazard), grid, cut), [20.0, 30.0])
    early = -np.expm1(-np.array([0.1, 0.05]))
    np.testing.assert_allclose(lower_bounds(np.exp(-hazard), grid, early), [5.0, 20.0])


def test_too_few_validation_rows_or_none_have_no_bound(rows_of: Callable[..., Rows]) -> None:
    generator = np.random.default_rng(2)
    test, _ = cohort(rows_of, generator, 50, competing=False)
    few = conformal_bounds(model_of(test, test.take(np.arange(6))), 1, 0.95, NONE)
    assert "more validation rows" in str(few["reason"])
    assert few["coverage"]["value"] is None  # type: ignore[index]
    without = rows_of(test.time, test.event, test.risk)
    assert "no survival" in str(
        conformal_bounds(model_of(without, without), 1, 0.9, NONE)["reason"]
    )
