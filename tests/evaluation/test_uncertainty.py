from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from sequela.errors import UndefinedMetricError
from sequela.evaluation.rows import Rows
from sequela.evaluation.uncertainty import (
    Draw,
    Resampler,
    Resampling,
    holm,
    measured,
    multiplicities,
    summarised,
)


def drawn(patient: np.ndarray, count: int = 50, seed: int = 4) -> np.ndarray:
    return np.concatenate(list(multiplicities(patient, Resampling(count, seed, 0.95))), axis=1)


def test_whole_patients_are_drawn_as_many_as_there_are() -> None:
    patient = np.array([5, 5, 5, 9, 2, 2])
    counts = drawn(patient)
    assert (counts[0] == counts[1]).all()
    assert (counts[1] == counts[2]).all()
    assert (counts[[0, 3, 4]].sum(axis=0) == 3).all()


def test_the_same_patients_are_drawn_alike_however_many_rows_they_have() -> None:
    once = drawn(np.arange(40), count=300)
    several = drawn(np.repeat(np.arange(40), 900), count=300)  # many rows: several blocks
    np.testing.assert_array_equal(once, several[::900])


def test_a_seed_is_a_seed() -> None:
    patient = np.arange(30)
    np.testing.assert_array_equal(drawn(patient), drawn(patient))
    assert (drawn(patient) != drawn(patient, seed=5)).any()


def mean_risk(rows: Rows, draw: Draw) -> np.ndarray:
    return rows.risk @ draw.counts / draw.counts.sum(axis=0)


def test_the_interval_of_a_mean_covers_it_as_often_as_it_says(rows_of: Callable[..., Rows]) -> None:
    generator = np.random.default_rng(1)
    covered = 0
    for trial in range(200):
        patient_level = generator.normal(size=50)
        risk = np.repeat(patient_level, 3)  # three equal rows a patient: no more information
        rows = rows_of(
            np.ones(150), np.ones(150, dtype=int), risk, patient=np.repeat(np.arange(50), 3)
        )
        found = measured(rows, mean_risk, Resampler(Resampling(200, trial, 0.9))).estimate
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= 0 <= found.high
    assert 0.82 <= covered / 200 <= 0.96


def test_resamples_that_cannot_be_used_are_counted_and_many_leave_no_interval() -> None:
    some = summarised(0.5, np.array([0.4, np.nan, 0.6, 0.5]), Resampling(4, 0, 0.95))
    assert (some.unused, some.resamples) == (1, 4)
    assert some.low is not None
    most = summarised(0.5, np.array([0.4, np.nan, np.nan, np.nan]), Resampling(4, 0, 0.95))
    assert most.low is None
    assert "3 of 4" in most.reason


def test_a_number_that_does_not_exist_raises(rows_of: Callable[..., Rows]) -> None:
    rows = rows_of(np.ones(3), np.ones(3, dtype=int), np.zeros(3))
    with pytest.raises(UndefinedMetricError):
        measured(rows, lambda *_: np.array([np.nan]), Resampler(Resampling(0, 0, 0.95)))


def test_holm_corrects_step_by_step() -> None:
    p = np.array([0.01, 0.04, 0.03, 0.005])
    np.testing.assert_allclose(holm(p), [0.03, 0.06, 0.06, 0.02])
    assert (holm(np.array([0.9, 0.8])) == 1).all()
    assert len(holm(np.empty(0))) == 0
