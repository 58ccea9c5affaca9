from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from lifelines import NelsonAalenFitter

from sequela.errors import UndefinedMetricError
from sequela.survival.aalen_johansen import aalen_johansen, nelson_aalen
from sequela.survival.kaplan_meier import kaplan_meier

ASKED = np.array([0.5, 3.0, 8.0, 20.0, 45.0])


def test_incidences_and_survival_sum_to_one(made: Any) -> None:
    survival = kaplan_meier(made.time, made.event > 0).at(ASKED)
    parts = [aalen_johansen(made.time, made.event, cause=cause).at(ASKED) for cause in (1, 2)]
    np.testing.assert_allclose(survival + parts[0] + parts[1], 1.0)


def test_with_one_cause_it_is_one_minus_kaplan_meier(made: Any) -> None:
    event = (made.event == 1).astype(int)
    curve = kaplan_meier(made.time, event == 1)
    incidence = aalen_johansen(made.time, event)
    np.testing.assert_allclose(incidence.at(ASKED), 1 - curve.at(ASKED))
    np.testing.assert_allclose(
        incidence.standard_error(ASKED), curve.standard_error(ASKED), rtol=0.02
    )


@pytest.mark.parametrize("delayed", [False, True])
def test_influence_is_the_change_when_a_patient_counts_more(made: Any, *, delayed: bool) -> None:
    entry = np.where(made.entry > 2, made.entry, -1.0) if delayed else None
    whole = aalen_johansen(made.time, made.event, entry=entry)
    influence = whole.influence(ASKED)
    copies = 40
    for patient in (0, 17, 60, 101, 150):
        rows = np.repeat(np.arange(len(made.time)), copies)
        more, less = np.append(rows, patient), np.delete(rows, patient * copies)
        there, back = (
            aalen_johansen(
                made.time[rows], made.event[rows], entry=None if entry is None else entry[rows]
            ).at(ASKED)
            for rows in (more, less)
        )
        np.testing.assert_allclose((there - back) * copies / 2, influence[patient], atol=2e-6)
    np.testing.assert_allclose(influence.sum(axis=0), 0.0, atol=1e-12)


def test_rows_that_stand_twice_add_nothing_once_they_are_one_patient(made: Any) -> None:
    once = aalen_johansen(made.time, made.event).standard_error(ASKED)
    twice = np.tile(np.arange(len(made.time)), 2)
    doubled = aalen_johansen(made.time[twice], made.event[twice])
    np.testing.assert_allclose(doubled.standard_error(ASKED, cluster=twice), once)
    assert (doubled.standard_error(ASKED)[1:] < once[1:]).all()


def test_limits_enclose_the_incidence(made: Any) -> None:
    curve = aalen_johansen(made.time, made.event)
    low, high = curve.interval(ASKED)
    known = curve.at(ASKED) > 0
    assert (low[known] < curve.at(ASKED)[known]).all()
    assert (curve.at(ASKED)[known] < high[known]).all()


def test_a_horizon_past_follow_up_is_undefined(made: Any) -> None:
    curve = aalen_johansen(made.time, np.where(made.time == made.time.max(), 0, made.event))
    curve.require(float(made.time.max()))
    with pytest.raises(UndefinedMetricError, match="follow-up"):
        curve.require(float(made.time.max()) + 1)


def test_the_cumulative_hazard_is_lifelines(made: Any) -> None:
    ours = nelson_aalen(made.time, made.event, cause=2)
    theirs = NelsonAalenFitter(nelson_aalen_smoothing=False).fit(made.time, made.event == 2)
    np.testing.assert_allclose(ours.at(ASKED), theirs.cumulative_hazard_at_times(ASKED))
