from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from sequela.cohort.cohort import Cohort, read_cohort
from sequela.cohort.manifest import Manifest
from sequela.cohort.patient import Exam, Image, Patient, Text
from sequela.cohort.protocol import ProtocolSettings
from sequela.cohort.selection import Selection, select_cases
from sequela.errors import DataError

MANIFEST = Manifest.model_validate(
    {
        "name": "made",
        "endpoints": {"recurrence": {"causes": {1: "recurrence", 2: "death"}}},
        "tables": {},
    }
)
NAMES = ("paper", "landmark", "cross-validation")


def note(name: str, day: float, available: float | None = None) -> Text:
    known = day if available is None else available
    return Text(name, float(day), float(known), "note", "words", "en")


def visit(name: str, day: float, *texts: Text, images: tuple[Image, ...] = ()) -> Exam:
    return Exam(name, float(day), "MG", "V", images, texts)


def cohort_of(*patients: tuple[Patient, tuple[float, int, float | None] | None]) -> Cohort:
    rows = [
        (patient.patient_id, "recurrence", *outcome)
        for patient, outcome in patients
        if outcome is not None
    ]
    columns = {
        "patient_id": pl.String,
        "endpoint": pl.String,
        "time": pl.Float64,
        "event": pl.Int64,
        "entry": pl.Float64,
    }
    return Cohort(
        Path("/cohort"),
        MANIFEST,
        tuple(patient for patient, _ in patients),
        pl.DataFrame({"patient_id": [patient.patient_id for patient, _ in patients]}),
        pl.DataFrame(rows, schema=columns, orient="row"),
        "made",
    )


def seen_from(
    days: list[float],
    outcome: tuple[float, int, float | None],
    texts: tuple[Text, ...] = (),
    **protocol: Any,
) -> Selection:
    exams = tuple(visit(f"E{index}", day) for index, day in enumerate(days))
    return select_cases(
        cohort_of((Patient("P", "", exams, texts), outcome)), ProtocolSettings(**protocol)
    )


def exam_ids(selection: Selection) -> list[list[str]]:
    return [[exam.exam_id for exam in case.exams] for case in selection.cases]


days = st.integers(-400, 2000).map(float)
some_texts = st.lists(st.tuples(days, st.integers(0, 90)), max_size=4)
ends = st.tuples(st.floats(1, 2500), st.integers(0, 2), st.none() | st.just(0.5))
described = st.tuples(
    st.lists(st.tuples(days, some_texts), max_size=6), some_texts, st.none() | ends
)
several = st.lists(described, min_size=1, max_size=4)


def people_of(descriptions: Any) -> list[Any]:
    """Patients made of days and delays (built outside the strategy: shapes are checked there)."""
    people = []
    for number, (exams, loose, outcome) in enumerate(descriptions):
        name = f"P{number}"
        visits = [
            visit(f"{name}-E{index}", day, *notes(f"{name}-{index}", texts))
            for index, (day, texts) in enumerate(sorted(exams))
        ]
        people.append((Patient(name, "", tuple(visits), notes(name, loose)), outcome))
    return people


def notes(name: str, texts: Any) -> tuple[Text, ...]:
    return tuple(note(f"{name}-T{k}", day, day + late) for k, (day, late) in enumerate(texts))


def selected(cohort: Cohort, protocol: ProtocolSettings) -> Selection:
    try:
        return select_cases(cohort, protocol)
    except DataError:
        reject()


protocols = st.builds(
    ProtocolSettings,
    name=st.sampled_from(NAMES),
    blackout=st.sampled_from([0.0, 90.0]),
    minimum_gap=st.sampled_from([0.0, 183.0]),
    exams=st.integers(1, 3),
    require_pair=st.booleans(),
)


def reachable_days(case: Any) -> Iterator[float]:
    for exam in case.exams:
        yield exam.day
        for text in exam.texts:
            yield from (text.day, text.available_day)
    for text in case.texts:
        yield from (text.day, text.available_day)


@settings(max_examples=100, deadline=None)
@given(several, protocols)
def test_a_case_reaches_nothing_dated_after_its_landmark(
    descriptions: Any, protocol: ProtocolSettings
) -> None:
    cohort = cohort_of(*people_of(descriptions))
    selection = selected(cohort, protocol)
    outcomes = {row[0]: row[2:] for row in cohort.outcomes.iter_rows()}
    for row, case in enumerate(selection.cases):
        assert all(day <= case.landmark for day in reachable_days(case))
        time, event, _ = outcomes[case.patient_id]
        assert time > case.landmark + protocol.blackout
        assert selection.followup.time[row] == time - case.landmark
        assert selection.followup.event[row] == event
        assert len(case.exams) <= protocol.exams
        for earlier, later in itertools.pairwise(case.exams):
            assert later.day - earlier.day >= protocol.minimum_gap
        texts = [text.text_id for exam in case.exams for text in exam.texts]
        texts += [text.text_id for text in case.texts]
        assert len(texts) == len(set(texts))


@settings(max_examples=100, deadline=None)
@given(several, protocols)
def test_every_patient_and_exam_is_used_or_excluded_with_a_reason(
    descriptions: Any, protocol: ProtocolSettings
) -> None:
    cohort = cohort_of(*people_of(descriptions))
    selection = selected(cohort, protocol)
    with_case = {case.patient_id for case in selection.cases}
    seen = {exam.exam_id for case in selection.cases for exam in case.exams}
    whole = set(selection.exclusions.filter(pl.col("exam_id").is_null())["patient_id"])
    single = set(selection.exclusions["exam_id"].drop_nulls())
    assert all(selection.exclusions["reason"].str.len_chars() > 0)
    for patient in cohort.patients:
        excluded = patient.patient_id in whole
        assert excluded != (patient.patient_id in with_case)
        for exam in patient.exams:
            assert excluded or exam.exam_id in seen | single


@settings(max_examples=40, deadline=None)
@given(several, protocols)
def test_the_future_changes_no_input(descriptions: Any, protocol: ProtocolSettings) -> None:
    """What is added after a landmark leaves every landmark case before it as it was."""
    protocol = protocol.evolve(name="landmark")
    people = people_of(descriptions)
    exam, text = visit("later", 9000, note("later-text", 9000)), note("much-later", 9000)
    longer = [
        (replace(one, exams=(*one.exams, exam), texts=(*one.texts, text)), outcome)
        for one, outcome in people
    ]
    before = selected(cohort_of(*people), protocol).cases
    assert select_cases(cohort_of(*longer), protocol).cases == before


def test_the_paper_walks_back_until_the_gap_holds() -> None:
    selection = seen_from([0, 300, 500, 600, 1000], (900, 1, None), name="paper")
    assert exam_ids(selection) == [["E1", "E3"]]
    assert selection.cases[0].landmark == 600
    assert selection.followup.time.tolist() == [300]
    assert selection.exclusions["exam_id"].to_list() == ["E0", "E2", "E4"]


def test_the_paper_leaves_out_who_has_no_two_exams_half_a_year_apart() -> None:
    with pytest.raises(DataError) as caught:
        seen_from([400, 500], (900, 1, None), name="paper")
    assert caught.value.items == (
        "1 × fewer than 2 exams at least 183 days apart before the event or last contact",
    )


def test_an_exam_on_the_day_of_the_event_is_not_before_it() -> None:
    selection = seen_from([0, 300, 900], (900, 1, None), name="paper")
    assert exam_ids(selection) == [["E0", "E1"]]


def test_a_single_exam_is_a_case_unless_a_pair_is_required() -> None:
    assert exam_ids(seen_from([0, 100, 200], (900, 1, None))) == [["E0"], ["E1"], ["E0", "E2"]]
    paired = seen_from([0, 100, 200], (900, 1, None), require_pair=True)
    assert exam_ids(paired) == [["E0", "E2"]]
    assert len(paired.exclusions) == 2


def test_an_event_within_the_blackout_is_an_exclusion() -> None:
    selection = seen_from([0, 850], (900, 1, None), blackout=90)
    assert exam_ids(selection) == [["E0"]]
    assert selection.exclusions.rows() == [("P", "E1", "event within the blackout of 90 days")]


def test_exams_before_the_patient_was_under_observation_are_seen_but_no_landmark() -> None:
    selection = seen_from([-300, 50, 400], (900, 2, 100.0))
    assert [case.landmark for case in selection.cases] == [400]
    assert exam_ids(selection) == [["E1", "E2"]]
    assert selection.followup.event.tolist() == [2]


def test_cross_validation_stands_on_the_index_date() -> None:
    texts = (note("before", -20), note("on", 0), note("late", -1, 3), note("after", 10))
    selection = seen_from([-10, 200], (900, 1, 30.0), texts, name="cross-validation", minimum_gap=0)
    (case,) = selection.cases
    assert case.landmark == 0
    assert [text.text_id for exam in case.exams for text in exam.texts] == ["before"]
    assert [text.text_id for text in case.texts] == ["on"]
    assert selection.followup.entry is not None
    np.testing.assert_array_equal(selection.followup.entry, [30.0])


def test_a_clinical_cohort_has_cases_without_exams() -> None:
    (case,) = seen_from([], (900, 1, None), name="cross-validation").cases
    assert case.exams == ()


def test_a_loose_text_goes_to_the_first_exam_at_which_it_could_be_read() -> None:
    texts = (note("a", -5), note("b", 10, 210), note("c", 200), note("d", 390, 401))
    selection = seen_from([0, 200, 400], (900, 0, None), texts, name="paper", exams=3)
    case = selection.cases[0] if selection.cases else None
    assert case is not None
    placed = {exam.exam_id: [text.text_id for text in exam.texts] for exam in case.exams}
    assert placed == {"E0": ["a"], "E1": ["c"], "E2": ["b"]}


def test_a_repeated_view_is_kept_once_by_image_id_and_said() -> None:
    images = tuple(Image(name, "L", "CC", Path(name)) for name in ("i2", "i1", "i3"))
    exam = visit("E", 0, images=(*images, Image("i0", "R", "CC", Path("i0"))))
    selection = select_cases(
        cohort_of((Patient("P", "", (exam,), ()), (900.0, 1, None))), ProtocolSettings()
    )
    kept = selection.cases[0].exams[0].images
    assert [image.image_id for image in kept] == ["i0", "i1"]
    assert selection.exclusions["reason"].to_list() == [
        "view L CC repeated: the first image id is used"
    ]


def test_a_patient_without_the_endpoint_is_a_row(tmp_path: Path) -> None:
    known = (Patient("A", "", (visit("E", 0),), ()), (900.0, 1, None))
    selection = select_cases(cohort_of(known, (Patient("B", "", (), ()), None)), ProtocolSettings())
    selection.write_exclusions(tmp_path / "exclusions.csv")
    assert (tmp_path / "exclusions.csv").read_text() == (
        "patient_id,exam_id,reason\nB,,no outcome for endpoint recurrence\n"
    )


def test_an_unknown_endpoint_is_named() -> None:
    with pytest.raises(DataError, match="no endpoint os, it has recurrence"):
        seen_from([0], (900, 1, None), endpoint="os")


@pytest.mark.parametrize("name", ["paper", "landmark"])
def test_a_report_that_comes_later_is_not_seen(write: Any, tables: Any, name: Any) -> None:
    selection = select_cases(read_cohort(write(tables)), ProtocolSettings(name=name))
    for case in selection.cases:
        *earlier, last = case.exams
        assert all(len(exam.texts) == 1 for exam in earlier)
        assert last.texts == ()
