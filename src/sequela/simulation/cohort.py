"""A whole simulated cohort, written as the folder that a hospital would hand over."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import yaml

from sequela.cohort.manifest import FILE_NAME
from sequela.cohort.table_files import write_table
from sequela.errors import ResourceLimitError, UsageError
from sequela.progress import stage
from sequela.simulation import tables
from sequela.simulation.mammograms import DrawnImage, write_images
from sequela.simulation.patients import SimulatedPatient, draw_patient
from sequela.simulation.phantom import VIEWS
from sequela.simulation.settings import SimulationSettings
from sequela.storage import (
    atomic,
    disk_failures,
    fingerprint,
    make_folder,
    require_space,
    write_json,
    write_text,
)
from sequela.workers import Failure, each


def simulate(settings: SimulationSettings, folder: Path) -> None:
    """Write a cohort folder: manifest, tables, DICOM files, and the truth about them.

    The files are the same, byte for byte, for the same settings and any number of workers. The
    cohort is made beside `folder` and moved in when it is whole, the manifest last.

    Raises:
        UsageError: If the folder holds a cohort already, or other files of these names.
        ResourceLimitError: If the disk is full, or a worker runs out of memory.
    """
    unfinished = folder.with_name(f".{folder.name}.part")
    if _is_whole(unfinished, settings):
        _move_in(unfinished, folder)
        return
    if unfinished.exists():
        shutil.rmtree(unfinished)
    _require_room(folder)
    write_text(unfinished / _PURPOSE, _purpose(settings))
    patients = [draw_patient(settings, number) for number in range(settings.patients)]
    _write_tables(settings, patients, unfinished)
    if settings.images:
        require_space(unfinished, _bytes_at_most(settings, patients))
        images = _draw_images(settings, patients, unfinished)
        write_table(tables.images_table(images), unfinished / "images.csv")
        _write_parquet(tables.lesions_table(images), unfinished / "truth" / "lesions.parquet")
    text = yaml.safe_dump(
        tables.manifest(settings).model_dump(exclude_defaults=True, mode="json"), sort_keys=False
    )
    write_text(unfinished / FILE_NAME, text)
    _move_in(unfinished, folder)


_PURPOSE = ".purpose"
_HEADER_BYTES = 40_000  # a lookup table of 14 bits is 30 kB
_CONTENTS = (
    "dicom",
    "truth",
    "patients.csv",
    "outcomes.csv",
    "exams.csv",
    "texts.csv",
    "images.csv",
    FILE_NAME,
)


def _require_room(folder: Path) -> None:
    found = tuple(name for name in _CONTENTS if (folder / name).exists())
    if found:
        raise UsageError(
            f"{folder.name} already holds {', '.join(found)}; a simulated cohort needs their place",
            hint="choose another folder, or remove the old cohort",
        )


def _purpose(settings: SimulationSettings) -> str:
    return fingerprint(settings.model_dump_json(exclude={"workers"}))


def _is_whole(unfinished: Path, settings: SimulationSettings) -> bool:
    """Whether this very cohort was made before, and what remained was to move it in."""
    mark = unfinished / _PURPOSE
    if not mark.is_file() or not (unfinished / FILE_NAME).is_file():
        return False
    return mark.read_text(encoding="utf-8") == _purpose(settings)


def _move_in(unfinished: Path, folder: Path) -> None:
    with disk_failures(folder.name):
        make_folder(folder)
        for name in _CONTENTS:
            if (unfinished / name).exists():
                (unfinished / name).replace(folder / name)
        shutil.rmtree(unfinished)


def _write_tables(
    settings: SimulationSettings, patients: list[SimulatedPatient], folder: Path
) -> None:
    write_table(tables.patients_table(settings, patients), folder / "patients.csv")
    write_table(tables.outcomes_table(patients), folder / "outcomes.csv")
    write_table(tables.exams_table(patients), folder / "exams.csv")
    write_table(tables.texts_table(settings, patients), folder / "texts.csv")
    truth = folder / "truth"
    _write_parquet(tables.oracle_table(settings, patients), truth / "oracle.parquet")
    _write_parquet(tables.latents_table(patients), truth / "latents.parquet")
    write_table(tables.index_dates_table(patients), truth / "index_dates.csv")
    write_json(truth / "signals.json", settings.model_dump(mode="json", exclude={"workers"}))


def _write_parquet(table: pl.DataFrame, path: Path) -> None:
    with atomic(path) as temporary:
        table.write_parquet(temporary)


def _bytes_at_most(settings: SimulationSettings, patients: list[SimulatedPatient]) -> int:
    """What the images take where no encoding makes them smaller."""
    images = sum(len(patient.days) * len(patient.sides) * len(VIEWS) for patient in patients)
    pixels = settings.mammogram.height * settings.mammogram.width
    return images * (2 * pixels + _HEADER_BYTES)


def _draw_images(
    settings: SimulationSettings, patients: list[SimulatedPatient], folder: Path
) -> list[DrawnImage]:
    """Draw everything; rows in the order of the patients, whoever was finished first."""
    rows: dict[int, tuple[DrawnImage, ...]] = {}
    with stage("Drawing mammograms", len(patients)) as advance:
        for patient, images in _each_patient(settings, patients, folder):
            rows[patient] = images
            advance(1)
    return [image for patient in sorted(rows) for image in rows[patient]]


def _each_patient(
    settings: SimulationSettings, patients: list[SimulatedPatient], folder: Path
) -> Iterator[tuple[int, tuple[DrawnImage, ...]]]:
    tasks = [(settings, patient, folder) for patient in patients]
    if settings.workers == 1:
        yield from enumerate(write_images(*task) for task in tasks)
        return
    for done in each(write_images, tasks, workers=settings.workers):
        if isinstance(done.value, Failure):
            raise ResourceLimitError(
                f"the mammograms of a simulated patient were not written: {done.value.reason}",
                hint="see that memory and disk suffice, or use fewer workers",
            )
        yield done.index, done.value
