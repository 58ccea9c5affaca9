from __future__ import annotations

from pathlib import Path

import polars as pl

from sequela.cohort.cohort import Cohort
from sequela.cohort.manifest import Manifest
from sequela.cohort.patient import Exam, Image, Patient, Text
from sequela.evaluation.cohort_columns import column_of, usual_columns
from sequela.evaluation.subgroups import NOT_KNOWN, Division

IMAGE = (Image("i", "L", "CC", Path("i.dcm")),)


def text(available: float) -> tuple[Text, ...]:
    return (Text("t", 0.0, available, "note", "a mass", "en"),)


def cohort() -> Cohort:
    """One patient is photographed first and written about later, one the other way round."""
    first = Patient("a", "", (Exam("1", 0.0, "MG", "", IMAGE, text(50.0)),), ())
    exams = (Exam("2", 0.0, "MR", "", (), ()), Exam("3", 100.0, "MG", "", IMAGE, ()))
    patients = (first, Patient("b", "", exams, text(0.0)), Patient("c", "", (), ()))
    manifest = Manifest.model_validate({"name": "three", "tables": {}})
    names = pl.DataFrame({"patient_id": ["a", "b", "c"]})
    return Cohort(Path("/nowhere"), manifest, patients, names, pl.DataFrame(), "")


ROWS = pl.DataFrame(
    {"patient_id": ["a", "a", "b", "b", "c", "z"], "landmark": [0.0, 60.0, 0.0, 100.0, 0.0, 0.0]}
)


def told(column: str) -> dict[tuple[str, float], str]:
    table = column_of(cohort(), column, ROWS)
    assert table is not None
    return {(name, landmark): value for name, landmark, value in table.iter_rows()}


def test_what_can_be_read_is_what_was_there_at_the_landmark() -> None:
    assert told("available") == {
        ("a", 0.0): "image only",
        ("a", 60.0): "image and text",
        ("b", 0.0): "text only",
        ("b", 100.0): "image and text",
        ("c", 0.0): "neither image nor text",
        ("z", 0.0): "",
    }


def test_the_modality_is_that_of_the_last_exam() -> None:
    found = told("modality")
    assert (found["b", 0.0], found["b", 100.0], found["c", 0.0]) == ("MR", "MG", "")


def test_patterns_that_differ_are_among_the_usual_subgroups() -> None:
    assert set(usual_columns(cohort())) == {"modality", "available"}
    table = column_of(cohort(), "available", ROWS)
    assert table is not None
    order = Division.of("available", table).order
    assert set(order) >= {"image and text", "image only", "text only", NOT_KNOWN}
