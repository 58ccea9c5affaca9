from __future__ import annotations

from typing import Any

import pytest

from sequela.cohort.cohort import read_cohort
from sequela.cohort.selection import ProtocolSettings, select_cases


def test_the_paper_protocol_takes_the_last_two_exams_before_the_outcome(
    write: Any, tables: Any
) -> None:
    selection = select_cases(read_cohort(write(tables)), ProtocolSettings(name="paper"))
    assert [case.landmark for case in selection.cases] == [730.0] * 4
    assert [[exam.day for exam in case.exams] for case in selection.cases] == [[365.0, 730.0]] * 4
    assert selection.followup.time.tolist() == [170.0, 180.0, 190.0, 200.0]
    assert selection.followup.event.tolist() == [0, 1, 0, 1]


def test_a_landmark_is_every_exam_at_risk(write: Any, tables: Any) -> None:
    tables["outcomes"][0]["time"] = 800
    protocol = ProtocolSettings(blackout=100)
    selection = select_cases(read_cohort(write(tables)), protocol)
    assert [case.landmark for case in selection.cases if case.patient_id == "P0"] == [0.0, 365.0]
    assert [case.landmark for case in selection.cases if case.patient_id == "P1"] == [0, 365, 730]
    reasons = selection.exclusions.rows()
    assert reasons == [("P0", "P0-E2", "last contact within the blackout of 100 days")]


@pytest.mark.parametrize("name", ["paper", "landmark"])
def test_a_report_that_comes_later_is_not_seen(write: Any, tables: Any, name: Any) -> None:
    selection = select_cases(read_cohort(write(tables)), ProtocolSettings(name=name))
    for case in selection.cases:
        *earlier, last = case.exams
        assert all(len(exam.texts) == 1 for exam in earlier)
        assert last.texts == ()
