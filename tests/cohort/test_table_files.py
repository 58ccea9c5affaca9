from __future__ import annotations

from pathlib import Path

import pytest

from sequela import memory
from sequela.cohort.checks import check_cohort
from sequela.cohort.manifest import TableSource
from sequela.cohort.table_files import _MOST_COLUMNS, ROW, read_rows
from sequela.errors import ResourceLimitError
from sequela.simulation.specimens import MANIFEST, OUTCOMES, PATIENTS


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "cohort.yaml").write_bytes(MANIFEST)
    PATIENTS.write_csv(tmp_path / "patients.csv")
    OUTCOMES.write_csv(tmp_path / "outcomes.csv")
    return tmp_path


def test_a_table_that_cannot_fit_is_refused_before_it_is_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert check_cohort(folder) == []
    monkeypatch.setattr(memory, "machine_memory", lambda: 100)
    with pytest.raises(ResourceLimitError, match=r"patients\.csv takes about"):
        check_cohort(folder)


def test_a_line_of_separators_is_no_table(folder: Path) -> None:
    (folder / "patients.csv").write_text("patient_id" + "," * (_MOST_COLUMNS + 1) + "\n")
    (found,) = [finding for finding in check_cohort(folder) if finding.code == "C004"]
    assert "more than 200,000 columns" in found.message


def test_a_row_has_the_line_on_which_it_begins(tmp_path: Path) -> None:
    text = '"id\nof the patient",note\n1,"two\nlines"\n\n2,one\n'
    (tmp_path / "notes.csv").write_text(text, encoding="utf-8")
    rows, findings = read_rows(tmp_path, "notes", TableSource(file="notes.csv"))
    assert rows is not None and findings == []
    assert rows[ROW].to_list() == [3, 6]
