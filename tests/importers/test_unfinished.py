"""Whatever fills a folder goes on where it was cut short, and alone does."""

from __future__ import annotations

import errno
import itertools
import os
from collections.abc import Callable
from pathlib import Path

import imagecodecs
import numpy as np
import pytest

from sequela.cohort.template import write_cohort_template
from sequela.errors import DataError, StorageError, UsageError
from sequela.importers.pictures import import_pictures
from sequela.importers.survival_table import import_table
from sequela.importers.unfinished import MARK, Filling
from sequela.simulation.cohort import simulate
from sequela.simulation.settings import SimulationSettings

MAPPING = """\
name: wide
patient_id: id
endpoints: {os: {causes: {1: death}, events: [{time: days, event: dead}]}}
"""


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    (tmp_path / "wide.csv").write_text("id,days,dead\nA,3,1\nB,4,0\n")
    (tmp_path / "wide.yaml").write_text(MAPPING)
    (tmp_path / "pictures").mkdir()
    picture = imagecodecs.png_encode(np.ones((8, 8), np.uint16))
    (tmp_path / "pictures" / "a.png").write_bytes(picture)
    (tmp_path / "pictures" / "labels.csv").write_text("file,exam,side,view\na.png,x,L,CC\n")
    return tmp_path


FILLERS: dict[str, Callable[[Path, Path], object]] = {
    "table": lambda sources, out: import_table(
        sources / "wide.csv", out, sources / "wide.yaml", keep_ids=True
    ),
    "pictures": lambda sources, out: import_pictures(sources / "pictures", out, keep_ids=True),
    "template": lambda _, out: write_cohort_template(out, {"sequela.yaml": "{}\n"}),
    "simulation": lambda _, out: simulate(SimulationSettings(patients=3, images=False), out),
}


def contents(folder: Path) -> dict[str, bytes]:
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


@pytest.mark.parametrize("name", FILLERS)
def test_a_folder_whose_filling_failed_anywhere_is_filled_by_the_same_command(
    name: str, sources: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill = FILLERS[name]
    fill(sources, sources / "clean" / "out")
    clean = contents(sources / "clean" / "out")
    real, failed = Path.replace, 0
    for nth in itertools.count():
        out, calls = sources / f"{nth}" / "out", itertools.count()

        def replace(path: Path, target: Path, nth: int = nth, calls: object = calls) -> Path:
            if next(calls) == nth:  # type: ignore[call-overload]
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return real(path, target)

        with monkeypatch.context() as patch:
            patch.setattr(Path, "replace", replace)
            try:
                fill(sources, out)
                break
            except StorageError:
                failed += 1
        fill(sources, out)
        assert contents(out) == clean
    assert failed >= 4
    assert MARK not in clean


def test_another_command_does_not_go_on_in_it(tmp_path: Path) -> None:
    first = Filling(tmp_path, "import table", (tmp_path / "one.csv",))
    with pytest.raises(DataError), first.marked():
        (tmp_path / "patients.csv").write_text("patient_id\n")
        raise DataError("half a table")
    first.require_new(("patients.csv",))
    for what, source in (("import table", "other.csv"), ("import fhir", "one.csv")):
        with pytest.raises(UsageError, match=r"already has patients\.csv"):
            Filling(tmp_path, what, (tmp_path / source,)).require_new(("patients.csv",))
    with first.marked():
        pass
    with pytest.raises(UsageError):
        first.require_new(("patients.csv",))
