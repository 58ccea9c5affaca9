from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sequela.errors import DataError
from sequela.survival.followup import Followup
from sequela.survival.time_bins import TimeBins


def followup(made: Any) -> Followup:
    return Followup(made.time, made.event)


def test_training_events_fall_evenly_into_bins(made: Any) -> None:
    spread = Followup(made.time + np.linspace(0, 0.9, len(made.time)), made.event)
    bins = TimeBins.fit(spread, 4)
    counts = np.bincount(bins.assign(spread.time[spread.event == 1]), minlength=4)
    assert bins.count == 4
    assert counts.max() - counts.min() <= 1


def test_an_edge_begins_a_bin_and_times_past_the_end_fall_into_the_last() -> None:
    bins = TimeBins(edges=(2.0, 5.0), end=9.0)
    assert bins.assign(np.array([0.0, 1.9, 2.0, 5.0, 8.0, 99.0])).tolist() == [0, 0, 1, 2, 2, 2]
    assert bins.bounds == (0.0, 2.0, 5.0, 9.0)


def test_exposure_sums_to_the_time_and_ends_in_the_assigned_bin(made: Any) -> None:
    bins = TimeBins.fit(followup(made), 5)
    exposed = bins.exposure(made.time)
    np.testing.assert_allclose(exposed.sum(axis=1), made.time)
    later = np.arange(bins.count) > bins.assign(made.time)[:, None]
    assert (exposed[later] == 0).all()


def test_only_the_cause_and_days_before_the_horizon_place_edges(made: Any) -> None:
    bins = TimeBins.fit(followup(made), 4, horizon=12.0)
    assert bins.end == 12.0
    assert max(bins.edges) < 12.0
    other = Followup(np.where(made.event == 2, made.time + 500, made.time), made.event)
    assert TimeBins.fit(other, 4, horizon=12.0) == bins


def test_tied_events_give_fewer_bins_and_no_event_none() -> None:
    tied = Followup(np.array([3.0, 3.0, 3.0, 8.0]), np.array([1, 1, 1, 0]))
    assert TimeBins.fit(tied, 4).edges == (3.0,)
    with pytest.raises(DataError, match="found none"):
        TimeBins.fit(tied, 4, cause=2)
