from __future__ import annotations

import numpy as np
import pytest

from sequela.survival.censoring import censoring_weights
from sequela.survival.population_weights import PopulationWeights

HAIR = 1e-6


@pytest.fixture(scope="module", params=["from the start", "delayed entry"])
def seen(request: pytest.FixtureRequest) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Whole days, so that events and censorings tie."""
    generator = np.random.default_rng(4)
    time = np.ceil(generator.exponential(10, 80))
    event = generator.random(80) < 0.6
    late = np.where(generator.random(80) < 0.5, -1.0, np.floor(time * generator.random(80) * 0.8))
    return time, event, None if request.param == "from the start" else late


@pytest.mark.parametrize("day", [4.0, 12.0])
def test_weights_and_how_they_move_are_those_of_the_slow_form(
    seen: tuple[np.ndarray, np.ndarray, np.ndarray | None], day: float
) -> None:
    time, event, entry = seen

    def slow(counts: np.ndarray) -> np.ndarray:
        weights = censoring_weights(time, event, day, weight=counts[:, None], entry=entry)
        return weights[:, 0] / counts

    made = PopulationWeights.of(time, event, entry)
    once = np.ones(len(time))
    np.testing.assert_allclose(made.at(day), slow(once), rtol=1e-12)
    assert made.at(day).sum() == pytest.approx(len(time))
    parts = np.random.default_rng(0).normal(size=len(time))
    moved = made.moved(made.at(day) * parts, day)
    assert moved.sum() == pytest.approx(0, abs=1e-9)  # all counting twice changes no weight
    for row in range(0, len(time), 7):
        gap = slow(once + HAIR * (np.arange(80) == row)) - slow(
            once - HAIR * (np.arange(80) == row)
        )
        assert moved[row] == pytest.approx(gap @ parts / (2 * HAIR), abs=1e-5)
    assert np.abs(moved).max() > 0.01


def test_nobody_free_at_the_horizon_is_nan() -> None:
    made = PopulationWeights.of(np.array([1.0, 2.0]), np.array([True, True]))
    assert np.isnan(made.at(3.0)).all()
