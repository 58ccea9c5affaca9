from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sequela.cohort.cohort import read_cohort
from sequela.cohort.protocol import ProtocolSettings
from sequela.cohort.selection import select_cases
from sequela.cohort.splits import SplitSettings, draw_splits
from sequela.errors import DataError


def test_patients_come_by_id_with_their_exams_by_day(write: Any, tables: Any) -> None:
    for rows in tables.values():
        random.Random(0).shuffle(rows)
    cohort = read_cohort(write(tables))
    assert [patient.patient_id for patient in cohort.patients] == ["P0", "P1", "P2", "P3"]
    assert cohort.covariates["patient_id"].to_list() == ["P0", "P1", "P2", "P3"]
    for patient in cohort.patients:
        assert [exam.day for exam in patient.exams] == [0.0, 365.0, 730.0]
        assert all(len(exam.images) == 4 and len(exam.texts) == 1 for exam in patient.exams)
    assert cohort.patient("P2") is cohort.patients[2]
    assert len(cohort.image_paths) == 48
    assert all(path.is_file() for path in cohort.image_paths.values())


def test_the_fingerprint_knows_contents_and_neither_row_order_nor_place(
    write: Any, tables: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = read_cohort(write(tables)).fingerprint
    for rows in tables.values():
        random.Random(1).shuffle(rows)
    folder = write(tables)
    monkeypatch.chdir(folder.parent)
    assert read_cohort(Path(folder.name)).fingerprint == before
    moved = folder.rename(tmp_path / "elsewhere")
    assert read_cohort(moved).fingerprint == before
    tables["texts"][0]["text"] = "Something else."
    assert read_cohort(write(tables)).fingerprint != before


def test_times_come_in_days(write: Any, tables: Any, manifest: Any) -> None:
    manifest["time_unit"] = "months"
    for row in tables["outcomes"]:
        row["time"] = 12000
    cohort = read_cohort(write({name: tables[name] for name in tables}, manifest))
    assert cohort.outcomes["time"].to_list() == pytest.approx([12000 * 365.25 / 12] * 4)
    assert cohort.patients[0].exams[1].day == pytest.approx(365 * 365.25 / 12)


def test_a_folder_without_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no cohort\.yaml"):
        read_cohort(tmp_path)


def test_a_cohort_without_outcomes_can_be_predicted_on_but_not_divided(
    write: Any, tables: Any, manifest: dict[str, Any]
) -> None:
    del tables["outcomes"], manifest["tables"]["outcomes"], manifest["endpoints"]
    cohort = read_cohort(write(tables, manifest))
    assert cohort.outcomes.is_empty()
    selection = select_cases(cohort, ProtocolSettings())
    exams = [exam for patient in cohort.patients for exam in patient.exams]
    assert [case.landmark for case in selection.cases] == [exam.day for exam in exams]
    assert np.isposinf(selection.followup.time).all()
    assert not selection.followup.event.any()
    with pytest.raises(DataError, match="no outcomes"):
        draw_splits(cohort, selection, SplitSettings())
