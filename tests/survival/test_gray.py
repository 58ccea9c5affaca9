from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sequela.errors import UndefinedMetricError
from sequela.survival.gray import gray
from sequela.survival.log_rank import log_rank


def test_names_order_and_units_do_not_matter(made: Any) -> None:
    one = gray(made.time, made.event, made.stratum)
    turned = np.random.default_rng(2).permutation(len(made.time))
    other = gray(made.time[turned] * 30, made.event[turned], 9 - made.stratum[turned])
    assert other.statistic == pytest.approx(one.statistic, rel=1e-9)
    assert other.freedom == one.freedom == 2


def test_equal_strata_add_up(made: Any) -> None:
    one = gray(made.time, made.event, made.stratum)
    stratum = np.repeat([0, 1], len(made.time))
    both = gray(
        *(np.tile(part, 2) for part in (made.time, made.event, made.stratum)), strata=stratum
    )
    assert both.statistic == pytest.approx(2 * one.statistic, rel=1e-9)


def test_without_competing_events_it_is_nearly_the_log_rank_test(made: Any) -> None:
    event = (made.event == 1).astype(int)
    ours, theirs = (
        gray(made.time, event, made.stratum),
        log_rank(made.time, event == 1, made.stratum),
    )
    assert ours.statistic == pytest.approx(theirs.statistic, rel=0.05)


def test_equal_incidences_are_rejected_as_often_as_asked() -> None:
    generator = np.random.default_rng(8)
    rejected = 0
    for _ in range(400):
        group = np.repeat([0, 1], 60)
        times = generator.exponential(1.0, (3, 120))
        times[1] *= 1.5
        event = np.array([1, 2, 0])[times.argmin(axis=0)]
        rejected += gray(times.min(axis=0), event, group).p < 0.05
    assert 0.025 <= rejected / 400 <= 0.085


def test_it_sees_the_incidence_where_the_cause_specific_test_does_not() -> None:
    """One hazard of relapse, but in one group death comes first and leaves fewer relapses."""
    generator = np.random.default_rng(9)
    group = np.repeat([0, 1], 1500)
    relapse = generator.exponential(1.0, 3000)
    death = generator.exponential(np.where(group == 1, 0.4, 4.0))
    first = np.stack([relapse, death, np.full(3000, 1.5)])
    time, event = first.min(axis=0), np.array([1, 2, 0])[first.argmin(axis=0)]
    assert gray(time, event, group).p < 1e-6
    assert log_rank(time, event == 1, group).p > 0.01


def test_one_group_or_no_event_is_undefined(made: Any) -> None:
    with pytest.raises(UndefinedMetricError, match="two groups"):
        gray(made.time, made.event, np.zeros(len(made.time), dtype=int))
    with pytest.raises(UndefinedMetricError, match="an event 9"):
        gray(made.time, made.event, made.stratum, cause=9)
