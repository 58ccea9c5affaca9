from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import chisquare

from sequela.errors import UndefinedMetricError
from sequela.evaluation.curves import calibration_of
from sequela.evaluation.distribution import (
    a_calibration,
    d_calibration,
    own_survival,
    survival_at,
)
from sequela.evaluation.outcome import Question
from sequela.evaluation.rows import Rows
from sequela.evaluation.settings import EvaluationSettings


def uniform(
    generator: np.random.Generator, count: int, *, bend: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """Survival at the own time of a model whose cumulative hazard is wrong by the factor `bend`."""
    lift = np.exp(generator.normal(size=count))
    time = generator.exponential(1 / lift)
    censor = generator.exponential(0.5, count)
    first = np.minimum(time, censor)
    return np.exp(-lift * bend * first), time <= censor


def test_without_censoring_d_calibration_is_pearsons_test() -> None:
    survival = np.random.default_rng(0).beta(1.3, 1, 400)
    theirs = chisquare(np.histogram(survival, 10, (0, 1))[0])
    ours = d_calibration(survival, np.ones(400, dtype=bool))
    assert ours.statistic == pytest.approx(theirs.statistic, rel=1e-12)
    assert ours.p == pytest.approx(theirs.pvalue, rel=1e-9)


def test_a_censored_patient_counts_once_spread_over_the_bins_below() -> None:
    seen = np.repeat(np.linspace(0.05, 0.95, 10), 5)
    even = d_calibration(np.append(seen, 1.0), np.append(np.ones(50, dtype=bool), False))
    assert even.statistic == pytest.approx(0, abs=1e-9)


def test_a_calibration_compares_events_with_the_hazard_endured() -> None:
    survival, event = uniform(np.random.default_rng(1), 2000)
    statistic = 0.0
    for number in range(10):
        low, high = number / 10, (number + 1) / 10
        observed = (event & (1 - survival >= low) & (1 - survival < high)).sum()
        expected = 0.0
        for one in 1 - survival:
            steps = np.linspace(low, min(one, high), 401)
            if one > low:
                expected += np.trapezoid(1 / (1 - np.minimum(steps, 1 - 1e-12)), steps)
        assert expected > 5
        statistic += (observed - expected) ** 2 / expected
    assert a_calibration(survival, event).statistic == pytest.approx(statistic, rel=2e-3)


def test_a_true_model_is_rejected_as_often_as_asked_and_d_calibration_hardly_ever() -> None:
    generator = np.random.default_rng(2)
    found = [uniform(generator, 400) for _ in range(600)]
    rejected = [
        np.mean([test(*one).p < 0.05 for one in found]) for test in (a_calibration, d_calibration)
    ]
    assert 0.03 <= rejected[0] <= 0.075
    assert rejected[1] <= 0.02


def test_hazards_too_high_by_a_third_are_found_by_a_calibration_more_often() -> None:
    generator = np.random.default_rng(3)
    found = [uniform(generator, 400, bend=1.33) for _ in range(100)]
    power = [
        np.mean([test(*one).p < 0.05 for one in found]) for test in (a_calibration, d_calibration)
    ]
    assert power[0] > 0.4
    assert power[0] > 2 * power[1]


def test_tenths_that_expect_hardly_an_event_are_joined() -> None:
    survival, event = uniform(np.random.default_rng(1), 60)
    assert a_calibration(survival, event).freedom < 9
    with pytest.raises(UndefinedMetricError, match="nothing to test"):
        a_calibration(np.ones(5), np.zeros(5, dtype=bool))


def test_log_survival_is_straight_between_grid_times() -> None:
    grid = np.array([10.0, 30.0])
    hazard = np.array([[0.1, 0.3], [1.0, 2.0]])
    times = np.array([5.0, 20.0])
    np.testing.assert_allclose(survival_at(np.exp(-hazard), grid, times), np.exp([-0.05, -1.5]))
    level = survival_at(np.exp(-hazard), grid, np.array([99.0, 30.0]))
    np.testing.assert_allclose(level, np.exp([-0.3, -2.0]))


def curves(rows_of: Callable[..., Rows], *, causes: int = 1, times: int = 12) -> Rows:
    generator = np.random.default_rng(4)
    lift = np.exp(generator.normal(size=300)) / 1000
    time = generator.exponential(1 / lift)
    censor = generator.uniform(100, 3000, 300)
    grid = np.linspace(100, 2400, times)
    event = np.where(time <= censor, generator.integers(1, causes + 1, 300), 0)
    survival = np.exp(-lift[:, None] * grid)
    return rows_of(np.minimum(time, censor), event, lift, survival=survival, grid=tuple(grid))


def test_an_evaluation_holds_both_tests_or_says_why_not(rows_of: Callable[..., Rows]) -> None:
    settings = EvaluationSettings()
    good = calibration_of(curves(rows_of), Question(1, None), settings)
    for name in ("a_calibration", "d_calibration"):
        assert good[name]["p"] > 0.01  # type: ignore[index]
    rivals = calibration_of(curves(rows_of, causes=2), Question(1, None), settings)
    assert "compete" in rivals["a_calibration"]["reason"]  # type: ignore[index]
    with pytest.raises(UndefinedMetricError, match="5 grid times"):
        own_survival(curves(rows_of, times=3), 1)
