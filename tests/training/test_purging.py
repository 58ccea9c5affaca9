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
