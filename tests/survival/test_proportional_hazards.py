from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sequela.errors import UndefinedMetricError
from sequela.survival.cox import fit_cox
from sequela.survival.proportional_hazards import proportional_hazards


def enlarged_score_test(made: Any, change: np.ndarray) -> tuple[np.ndarray, float]:
    """The same test by loops: every event's risk set written out, no ties."""
    event = made.event == 1
    coefficients = fit_cox(made.covariates, made.time, event).coefficients
    width = len(coefficients)
    gradient, information = np.zeros(2 * width), np.zeros((2 * width, 2 * width))
    for row in np.flatnonzero(event):
        inside = made.time >= made.time[row]
        both = np.hstack([made.covariates, change[row] * made.covariates])
        weight = np.exp(made.covariates[inside] @ coefficients)
        weight /= weight.sum()
        mean = weight @ both[inside]
        gradient += both[row] - mean
        information += (both[inside] - mean).T @ (weight[:, None] * (both[inside] - mean))
    gradient[:width] = 0
    alone = []
    for one in range(width):
        kept = [*range(width), width + one]
        alone.append(
            gradient[kept] @ np.linalg.solve(information[np.ix_(kept, kept)], gradient[kept])
        )
    return np.array(alone), float(gradient @ np.linalg.solve(information, gradient))


@pytest.fixture(scope="module")
def untied(made: Any) -> Any:
    generator = np.random.default_rng(3)
    time = made.time + generator.uniform(-0.4, 0.4, len(made.time))
    return type(made)(time, made.event, made.entry, made.covariates, made.stratum)


def test_it_is_the_score_test_of_the_enlarged_model(untied: Any) -> None:
    event = untied.event == 1
    change = untied.time - untied.time[event].mean()
    alone, together = enlarged_score_test(untied, change)
    ours = proportional_hazards(untied.covariates, untied.time, event, scale="identity")
    np.testing.assert_allclose([one.statistic for one in ours.each], alone, rtol=1e-9)
    assert ours.together.statistic == pytest.approx(together, rel=1e-9)
    assert ours.together.freedom == 3


@pytest.mark.parametrize("scale", ["km", "rank", "identity", "log"])
def test_units_and_order_do_not_matter(made: Any, scale: Any) -> None:
    event = made.event == 1
    one = proportional_hazards(made.covariates, made.time, event, scale=scale)
    turned = np.random.default_rng(0).permutation(len(event))
    other = proportional_hazards(
        5 - 3 * made.covariates[turned], 7 * made.time[turned], event[turned], scale=scale
    )
    assert other.together.statistic == pytest.approx(one.together.statistic, rel=1e-7)
    for first, second in zip(one.each, other.each, strict=True):
        assert second.statistic == pytest.approx(first.statistic, rel=1e-7)


def test_a_ratio_that_turns_round_is_found_and_a_constant_one_is_not() -> None:
    generator = np.random.default_rng(5)
    group = generator.integers(2, size=(2000, 1)).astype(float)
    constant = generator.exponential(np.exp(-0.7 * group[:, 0]))
    early, late = (
        generator.exponential(np.exp(-group[:, 0])),
        generator.exponential(np.exp(group[:, 0]), 2000),
    )
    turning = np.where(early < 0.5, early, 0.5 + late)
    seen = np.ones(2000, dtype=bool)
    assert proportional_hazards(group, constant, seen).together.p > 0.01
    assert proportional_hazards(group, turning, seen).together.p < 1e-6


def test_events_at_one_time_tell_nothing_of_change() -> None:
    covariates = np.arange(6.0)[:, None] % 3
    time = np.array([1.0, 1, 1, 2, 2, 2])
    with pytest.raises(UndefinedMetricError, match="several times"):
        proportional_hazards(covariates, time, np.array([1, 0, 1, 0, 0, 0], dtype=bool))
