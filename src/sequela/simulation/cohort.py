"""A whole simulated cohort, written as the folder that a hospital would hand over."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import polars as pl
import yaml

from sequela.cohort.manifest import FILE_NAME
from sequela.errors import UsageError
from sequela.progress import stage
from sequela.simulation import tables
from sequela.simulation.mammograms import DrawnImage, write_images
from sequela.simulation.patients import SimulatedPatient, draw_patient
from sequela.simulation.settings import SimulationSettings
from sequela.storage import atomic, write_json, write_text


def simulate(settings: SimulationSettings, folder: Path) -> None:
    """Write a cohort folder: manifest, tables, DICOM files, and the truth about them.

    The files are the same, byte for byte, for the same settings and any number of workers. The
    cohort is made beside `folder` and moved in when it is whole, the manifest last.

    Raises:
        UsageError: If the folder holds a cohort already, or other files of these names.
    """
    unfinished = folder.with_name(f".{folder.name}.part")
    if unfinished.exists():
        shutil.rmtree(unfinished)
    _require_room(folder)
    patients = [draw_patient(settings, number) for number in range(settings.patients)]
    _write_tables(settings, patients, unfinished)
    if settings.images:
        images = _draw_images(settings, patients, unfinished)
        _write_csv(tables.images_table(images), unfinished / "images.csv")
        _write_parquet(tables.lesions_table(images), unfinished / "truth" / "lesions.parquet")
    text = yaml.safe_dump(
        tables.manifest(settings).model_dump(exclude_defaults=True, mode="json"), sort_keys=False
    )
    write_text(unfinished / FILE_NAME, text)
    _move_in(unfinished, folder)


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


def _move_in(unfinished: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in _CONTENTS:
        if (unfinished / name).exists():
            (unfinished / name).replace(folder / name)
    unfinished.rmdir()


def _write_tables(
    settings: SimulationSettings, patients: list[SimulatedPatient], folder: Path
) -> None:
    _write_csv(tables.patients_table(settings, patients), folder / "patients.csv")
    _write_csv(tables.outcomes_table(patients), folder / "outcomes.csv")
    _write_csv(tables.exams_table(patients), folder / "exams.csv")
    _write_csv(tables.texts_table(settings, patients), folder / "texts.csv")
    truth = folder / "truth"
    _write_parquet(tables.oracle_table(settings, patients), truth / "oracle.parquet")
    _write_parquet(tables.latents_table(patients), truth / "latents.parquet")
    _write_csv(tables.index_dates_table(patients), truth / "index_dates.csv")
    write_json(truth / "signals.json", settings.model_dump(mode="json", exclude={"workers"}))


def _write_csv(table: pl.DataFrame, path: Path) -> None:
    with atomic(path) as temporary:
        table.write_csv(temporary)


def _write_parquet(table: pl.DataFrame, path: Path) -> None:
    with atomic(path) as temporary:
        table.write_parquet(temporary)


def _draw_images(
    settings: SimulationSettings, patients: list[SimulatedPatient], folder: Path
) -> list[DrawnImage]:
    images: list[DrawnImage] = []
    with stage("drawing mammograms", len(patients)) as advance:
        for rows in _each_patient(settings, patients, folder):
            images.extend(rows)
            advance(1)
    return images


def _each_patient(
    settings: SimulationSettings, patients: list[SimulatedPatient], folder: Path
) -> Iterator[tuple[DrawnImage, ...]]:
    draw = partial(write_images, settings, folder=folder)
    if settings.workers == 1:
        yield from map(draw, patients)
        return
    with ProcessPoolExecutor(settings.workers, mp_context=get_context("spawn")) as pool:
        yield from pool.map(draw, patients, chunksize=4)
