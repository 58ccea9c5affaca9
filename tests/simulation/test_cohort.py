from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import polars as pl
import pytest

from sequela.cohort.checks import check_cohort
from sequela.cohort.cohort import read_cohort
from sequela.cohort.manifest import Manifest
from sequela.errors import ResourceLimitError, UsageError
from sequela.importers.dicom import import_dicom
from sequela.simulation import cohort
from sequela.simulation.cohort import simulate
from sequela.simulation.settings import MammogramSettings, SimulationSettings
from sequela.workers import Done, Failure

SMALL = SimulationSettings(
    patients=5, seed=3, mammogram=MammogramSettings(height=96, width=80, noise=0.01)
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("simulated") / "cohort"
    simulate(SMALL, folder)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_the_tables_refer_to_each_other_and_to_files_that_are_there(folder: Path) -> None:
    manifest = Manifest.load(folder)
    frames = {name: pl.read_csv(folder / table.file) for name, table in manifest.tables.items()}
    assert set(frames) == {"patients", "outcomes", "exams", "texts", "images"}
    assert manifest.synthetic
    patients = set(frames["patients"]["patient_id"])
    exams = set(frames["exams"]["exam_id"])
    assert len(patients) == SMALL.patients
    assert set(frames["outcomes"]["patient_id"]) == patients
    assert set(frames["exams"]["patient_id"]) <= patients
    assert set(frames["texts"]["exam_id"]) <= exams
    assert set(frames["images"]["exam_id"]) == exams
    assert all((folder / path).is_file() for path in frames["images"]["path"])
    for name in ("exams", "texts", "images"):
        assert frames[name][frames[name].columns[0]].is_unique().all()


def test_two_workers_write_the_bytes_of_one(folder: Path, tmp_path: Path) -> None:
    simulate(SMALL.evolve(workers=2), tmp_path / "cohort")
    one, two = contents(folder), contents(tmp_path / "cohort")
    assert one.keys() == two.keys()
    assert [name for name in one if one[name] != two[name]] == []


def test_a_larger_cohort_begins_with_the_same_patients(folder: Path, tmp_path: Path) -> None:
    simulate(SMALL.evolve(patients=9, images=False), tmp_path / "cohort")
    for name in ("patients", "outcomes", "exams", "texts"):
        small = (folder / f"{name}.csv").read_text()
        assert (tmp_path / "cohort" / f"{name}.csv").read_text().startswith(small)


def test_another_seed_gives_other_patients(folder: Path, tmp_path: Path) -> None:
    simulate(SMALL.evolve(seed=4, images=False), tmp_path / "cohort")
    other = (tmp_path / "cohort" / "outcomes.csv").read_text()
    assert other != (folder / "outcomes.csv").read_text()


def test_without_images_no_table_speaks_of_them(tmp_path: Path) -> None:
    simulate(SMALL.evolve(images=False), tmp_path)
    assert "images" not in Manifest.load(tmp_path).tables
    assert not list(tmp_path.rglob("*.dcm"))


def test_a_cohort_is_never_written_over(folder: Path) -> None:
    before = contents(folder)
    with pytest.raises(UsageError, match="already holds"):
        simulate(SMALL, folder)
    assert contents(folder) == before


def test_files_that_are_not_of_a_cohort_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "sequela.yaml").write_text("model: {}\n")
    simulate(SMALL.evolve(images=False), tmp_path)
    assert (tmp_path / "sequela.yaml").read_text() == "model: {}\n"


def test_the_checks_at_the_door_find_nothing(folder: Path) -> None:
    assert check_cohort(folder) == []
    assert len(read_cohort(folder).patients) == SMALL.patients


def test_importing_the_dicom_files_gives_the_tables_back(folder: Path, tmp_path: Path) -> None:
    report = import_dicom(
        folder / "dicom",
        tmp_path / "imported",
        key=tmp_path / "key",
        index_dates=folder / "truth" / "index_dates.csv",
        workers=1,
    )
    assert report.findings == ()
    for name in ("exams", "images"):
        told, found = (
            pl.read_csv(place / f"{name}.csv") for place in (folder, tmp_path / "imported")
        )
        columns = ["day", "vendor"] if name == "exams" else ["side", "view"]
        assert told.select(columns).sort(columns).equals(found.select(columns).sort(columns))


def test_a_worker_that_fails_leaves_no_cohort_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object, **__: object) -> Iterator[Done[None]]:
        yield Done(0, Failure("ran out of memory"), 1.0)

    monkeypatch.setattr(cohort, "each", failing)
    with pytest.raises(ResourceLimitError, match="ran out of memory"):
        simulate(SMALL.evolve(workers=2), tmp_path / "cohort")
    assert not (tmp_path / "cohort").exists()


def test_what_a_stopped_run_left_is_taken_away(tmp_path: Path) -> None:
    left = tmp_path / ".cohort.part" / "dicom"
    left.mkdir(parents=True)
    (left / "old.dcm").write_bytes(b"old")
    simulate(SMALL.evolve(patients=1), tmp_path / "cohort")
    assert not list(tmp_path.rglob("old.dcm"))
    assert [path.name for path in tmp_path.iterdir()] == ["cohort"]


def test_images_that_cannot_fit_are_not_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(ResourceLimitError, match="needs"):
        simulate(SMALL, tmp_path / "cohort")
