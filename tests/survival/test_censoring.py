from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sequela.survival.aalen_johansen import aalen_johansen
from sequela.survival.censoring import censoring_weights, survivors
from sequela.survival.kaplan_meier import kaplan_meier


def ones(made: Any) -> np.ndarray:
    return np.ones((len(made.time), 1))


@pytest.mark.parametrize("day", [3.0, 10.0, 25.5, 40.0])
def test_weights_sum_to_the_patients_and_cases_to_their_incidence(made: Any, day: float) -> None:
    weights = censoring_weights(made.time, made.event > 0, day, weight=ones(made))[:, 0]
    assert weights.sum() == pytest.approx(len(made.time))
    case = (made.event == 1) & (made.time <= day)
    incidence = aalen_johansen(made.time, made.event).at(np.array([day]))[0]
    assert (weights * case).sum() / len(made.time) == pytest.approx(incidence)


def test_without_censoring_everybody_weighs_one(made: Any) -> None:
    event = np.ones(len(made.time), dtype=bool)
    weights = censoring_weights(made.time, event, 20.0, weight=ones(made))
    np.testing.assert_allclose(weights, 1.0)


def test_each_stratum_has_its_own_censoring(made: Any) -> None:
    together = censoring_weights(
        made.time, made.event > 0, 20.0, weight=ones(made), strata=made.stratum
    )
    for stratum in range(3):
        rows = made.stratum == stratum
        alone = censoring_weights(
            made.time[rows], made.event[rows] > 0, 20.0, weight=np.ones((int(rows.sum()), 1))
        )
        np.testing.assert_array_equal(together[rows], alone)


def test_a_resample_weighs_as_its_rows_written_out(made: Any) -> None:
    counts = np.random.default_rng(0).multinomial(len(made.time), [1 / len(made.time)] * 160, 4).T
    weights = censoring_weights(made.time, made.event > 0, 20.0, weight=counts.astype(float))
    for column in range(4):
        rows = np.repeat(np.arange(160), counts[:, column])
        out = censoring_weights(
            made.time[rows], made.event[rows] > 0, 20.0, weight=np.ones((len(rows), 1))
        )[:, 0]
        np.testing.assert_allclose(np.bincount(rows, out, 160), weights[:, column])


def test_a_horizon_that_nobody_reaches_gives_no_weights(made: Any) -> None:
    weights = censoring_weights(made.time, made.event > 0, 1000.0, weight=ones(made))
    assert np.isnan(weights).all()


def test_follow_up_cut_at_the_horizon_changes_nothing() -> None:
    time = np.array([2.0, 3.0, 5.0, 7.0, 9.0, 12.0])
    event = np.array([True, False, True, True, False, True])
    horizon = 8.0
    whole = censoring_weights(time, event, horizon, weight=np.ones((6, 1)))
    cut = censoring_weights(
        np.minimum(time, horizon), event & (time <= horizon), horizon, weight=np.ones((6, 1))
    )
    np.testing.assert_allclose(cut, whole)
    assert survivors(np.minimum(time, horizon), event & (time <= horizon), horizon).sum() == 2


def test_the_curve_behind_the_weights_is_reverse_kaplan_meier(made: Any) -> None:
    apart = made.time + np.linspace(0, 0.5, len(made.time))
    day = 20.0
    weights = censoring_weights(apart, made.event > 0, day, weight=ones(made))[:, 0]
    reverse = kaplan_meier(apart, made.event == 0)
    alive = apart > day
    np.testing.assert_allclose(weights[alive], 1 / reverse.at(np.array([day]))[0])
    cases = (made.event > 0) & ~alive
    np.testing.assert_allclose(weights[cases], 1 / reverse.at(apart[cases], left=True))


def test_with_delayed_entry_cases_still_sum_to_their_incidence(made: Any) -> None:
    """And all weights to the patients: the jumps of Aalen-Johansen and what survives."""
    entry, day = made.entry * 0.4, np.array([25.0])
    weights = censoring_weights(made.time, made.event > 0, day[0], weight=ones(made), entry=entry)[
        :, 0
    ]
    case = (made.event == 1) & (made.time <= day)
    incidence = aalen_johansen(made.time, made.event, entry=entry).at(day)[0]
    assert weights.sum() == pytest.approx(len(made.time))
    assert (weights * case).sum() / len(made.time) == pytest.approx(incidence)
    assert not weights[entry > day].any()


def test_entry_before_anything_happened_changes_nothing(made: Any) -> None:
    arguments = (made.time, made.event > 0, 20.0)
    early = censoring_weights(*arguments, weight=ones(made), entry=np.zeros(len(made.time)))
    np.testing.assert_allclose(early, censoring_weights(*arguments, weight=ones(made)))
