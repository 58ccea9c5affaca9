from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sequela.audit.labels import label_cases
from sequela.cohort.cohort import read_cohort
from sequela.cohort.protocol import ProtocolSettings
from sequela.cohort.selection import select_cases
from sequela.errors import UndefinedMetricError
from sequela.survival.aalen_johansen import aalen_johansen


def test_without_a_horizon_every_case_counts_once(yearly: Path) -> None:
    cohort = read_cohort(yearly)
    selection = select_cases(cohort, ProtocolSettings(name="paper"))
    labelled = label_cases(cohort, selection)
    np.testing.assert_array_equal(labelled.event, selection.followup.event == 1)
    assert (labelled.weight == 1).all()


def test_from_the_index_date_the_weighted_share_of_events_is_aalen_and_johansens(
    yearly: Path,
) -> None:
    cohort = read_cohort(yearly)
    protocol = ProtocolSettings(name="cross-validation", horizon=1826.0)
    selection = select_cases(cohort, protocol)
    labelled = label_cases(cohort, selection)
    share = labelled.weight[labelled.event].sum() / len(selection.cases)
    followup = selection.followup
    incidence = aalen_johansen(followup.time, followup.event, cause=1)
    assert share == pytest.approx(incidence.at(np.array([1826.0]))[0], rel=1e-9)


def test_landmarks_that_nobody_is_followed_from_are_left_out(yearly: Path) -> None:
    cohort = read_cohort(yearly)
    selection = select_cases(cohort, ProtocolSettings())
    labelled = label_cases(cohort, selection)
    latest = max(case.landmark for case in labelled.cases)
    assert latest < max(case.landmark for case in selection.cases)
    assert latest + 1826 < 3653
    assert labelled.weight.max() < 10


def test_a_horizon_beyond_all_followup_is_refused(yearly: Path) -> None:
    cohort = read_cohort(yearly)
    selection = select_cases(cohort, ProtocolSettings(horizon=9000.0))
    with pytest.raises(UndefinedMetricError, match="hardly anybody"):
        label_cases(cohort, selection)
