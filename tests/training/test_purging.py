from __future__ import annotations

import errno
import itertools
import os
import shutil
from pathlib import Path

import polars as pl
import pytest

from sequela.errors import StorageError
from sequela.seal import broken_seals, seal
from sequela.simulation.cohort import simulate
from sequela.simulation.settings import SimulationSettings
from sequela.storage import fingerprint
from sequela.traces import traces
from sequela.training.purging import purge


@pytest.fixture
def cohort(tmp_path: Path) -> Path:
    """A cohort without images, and a sealed table that a run made of it."""
    folder = tmp_path / "cohort"
    simulate(SimulationSettings(patients=4, images=False), folder)
    run = folder / "work" / "runs" / "made"
    run.mkdir(parents=True)
    shutil.copy(folder / "outcomes.csv", run / "predictions.csv")
    seal(run)
    return folder


def contents(folder: Path) -> dict[str, str]:
    paths = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): fingerprint(path) for path in paths}


def test_a_purge_that_was_cut_short_anywhere_is_ended_by_the_next(
    cohort: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    patient = pl.read_csv(cohort / "patients.csv", infer_schema=False)["patient_id"][1]
    clean = Path(shutil.copytree(cohort, tmp_path / "clean"))
    purge(clean, clean / "work", patient)
    real, failed = Path.replace, 0
    for nth in itertools.count():
        copy, calls = Path(shutil.copytree(cohort, tmp_path / f"{nth}")), itertools.count()

        def replace(path: Path, target: Path, nth: int = nth, calls: object = calls) -> Path:
            if next(calls) == nth:  # type: ignore[call-overload]
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return real(path, target)

        with monkeypatch.context() as patch:
            patch.setattr(Path, "replace", replace)
            try:
                purge(copy, copy / "work", patient)
                break
            except StorageError:
                failed += 1
        purge(copy, copy / "work", patient)
        assert contents(copy) == contents(clean)
        assert not list(traces(copy, [patient]))
        assert broken_seals(copy / "work" / "runs" / "made") == ()
    assert failed >= 6


def small(folder: Path, patients: str, outcomes: str, columns: str = "") -> Path:
    """A cohort of two tables under names of their own."""
    folder.mkdir()
    (folder / "people.txt").write_text(patients, encoding="utf-8")
    (folder / "outcomes.csv").write_text(outcomes, encoding="utf-8")
    (folder / "cohort.yaml").write_text(
        "name: small\ntime_unit: days\nendpoints: {os: {causes: {1: death}}}\ntables:\n"
        f"  patients: {{file: people.txt{columns}}}\n  outcomes: {{file: outcomes.csv}}\n",
        encoding="utf-8",
    )
    return folder


def test_a_short_id_takes_no_row_of_a_patient_who_is_not_called_so(tmp_path: Path) -> None:
    patients = 'MRN;age;exam_id;note\n1;62;2;seen\n2;1;17;"a; b\n1"\n62;50;1;\n'
    outcomes = "patient_id,endpoint,event,time\n1,os,0,9\n2,os,1,62\n62,os,1,1\n"
    folder = small(tmp_path / "c", patients, outcomes, ", columns: {patient_id: MRN}")
    purged = purge(folder, folder / "work", "1")
    assert purged.rows == {"people.txt": 1, "outcomes.csv": 1}
    left = pl.read_csv(folder / "people.txt", separator=";", infer_schema=False)
    assert left.rows() == [("2", "1", "17", "a; b\n1"), ("62", "50", "1", None)]
    assert pl.read_csv(folder / "outcomes.csv")["patient_id"].to_list() == [2, 62]


def test_ids_that_parquet_holds_as_numbers_are_found(tmp_path: Path) -> None:
    folder = small(tmp_path / "c", "patient_id\tage\n1\t40\n2\t50\n", "patient_id\n1\n2\n")
    pl.DataFrame({"patient_id": [1, 2, 2], "value": [2, 1, 1]}).write_parquet(
        folder / "more.parquet"
    )
    assert purge(folder, folder / "work", "1").rows == {
        "people.txt": 1,
        "outcomes.csv": 1,
        "more.parquet": 1,
    }
    assert pl.read_parquet(folder / "more.parquet")["patient_id"].to_list() == [2, 2]


def test_a_table_with_a_column_of_our_name_beside_the_mapped_one_is_read(tmp_path: Path) -> None:
    patients = "patient_id,MRN\n9,first\n8,second\n"
    outcomes = "patient_id\nfirst\nsecond\n"
    folder = small(tmp_path / "c", patients, outcomes, ", columns: {patient_id: MRN}")
    assert purge(folder, folder / "work", "first").rows == {"people.txt": 1, "outcomes.csv": 1}
