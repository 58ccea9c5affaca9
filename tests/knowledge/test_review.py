from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from sequela.cohort.cohort import read_cohort
from sequela.errors import DataError
from sequela.knowledge.frozen import FrozenKnowledge
from sequela.knowledge.refine import refine
from sequela.knowledge.review import take_review, write_review
from sequela.knowledge.schema import UNKNOWN


@pytest.fixture
def work(cohort: Path) -> Path:
    refine(read_cohort(cohort), cohort / "work")
    return cohort / "work"


def reviewed(work: Path, **changes: str) -> Path:
    """The review table with some values of the first patient changed, the rest accepted."""
    file = work / "review.csv"
    write_review(FrozenKnowledge.read(work / "knowledge.json"), file)
    rows = pl.read_csv(file, infer_schema=False).to_dicts()
    for row in rows:
        first = row["patient_id"] == "k-0001"
        row["review"] = "accepted"
        row["value"] = changes.get(row["field"], row["value"]) if first else row["value"]
    pl.DataFrame(rows).write_csv(file)
    return file


def test_what_a_person_accepted_or_corrected_comes_back_and_survives_another_reading(
    work: Path, cohort: Path
) -> None:
    take_review(work, reviewed(work, grade="4", margins=UNKNOWN))
    kept = refine(read_cohort(cohort), work).kept
    found = FrozenKnowledge.read(work / "knowledge.json").reports["k-0001"].findings
    assert (found["grade"].value, found["grade"].review) == ("4", "corrected")
    assert (found["margins"].value, found["margins"].review) == (UNKNOWN, "corrected")
    assert (found["pT"].value, found["pT"].review) == ("T1b", "accepted")
    assert kept == 2 * 17


def test_a_table_that_was_not_touched_changes_nothing(work: Path) -> None:
    before = FrozenKnowledge.read(work / "knowledge.json").fingerprint
    file = work / "review.csv"
    write_review(FrozenKnowledge.read(work / "knowledge.json"), file)
    take_review(work, file)
    assert FrozenKnowledge.read(work / "knowledge.json").fingerprint == before


def test_a_value_outside_the_vocabulary_is_refused_by_its_row_and_changes_nothing(
    work: Path,
) -> None:
    before = (work / "knowledge.json").read_bytes()
    with pytest.raises(DataError, match="1 row") as caught:
        take_review(work, reviewed(work, grade="seventeen"))
    assert "seventeen" not in str(caught.value.items)
    assert (work / "knowledge.json").read_bytes() == before
