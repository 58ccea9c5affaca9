"""Whether a run's or a work folder's files are what was written, and belong together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from sequela.cohort.splits import Splits
from sequela.errors import DataError, SequelaError
from sequela.evaluation.predictions import Predictions
from sequela.knowledge.frozen import FILE_NAME as KNOWLEDGE
from sequela.knowledge.frozen import FrozenKnowledge
from sequela.modalities.store import RECORD, ImageStore
from sequela.seal import SEAL, broken_seals
from sequela.training.run import Run

_INPUTS = {
    "splits": "division",
    "knowledge": KNOWLEDGE,
    "pixels": "pixel policy",
    "images": "set of prepared images",
}


@dataclass(frozen=True)
class Verification:
    """What was looked at in a folder, and what is not as it should be.

    Attributes:
        sealed: Folders whose files were compared with their checksums, by name.
        faults: What is wrong, a line each, by file.
    """

    sealed: tuple[str, ...]
    faults: tuple[str, ...]


def verify(folder: Path) -> Verification:
    """Check a folder end to end: every sealed file, and that runs and tables fit each other.

    Args:
        folder: A run's folder, a work folder, or any folder above them.

    Raises:
        DataError: If nothing below it was ever finished.
    """
    sealed = sorted(path.parent for path in folder.rglob(SEAL))
    if not sealed:
        raise DataError(
            f"nothing in {folder.name} was finished, so there is nothing to verify",
            hint="name a run's folder, or the work folder of a cohort",
        )
    found = {inside: _broken(inside) for inside in sealed}
    faults = [f"{_name(one, folder)}/{fault}" for one, broken in found.items() for fault in broken]
    works = {path.parent for path in folder.rglob("runs") if path.is_dir()}
    for work in sorted(works):
        faults += _disagreements(work, {inside for inside, broken in found.items() if broken})
    return Verification(tuple(_name(inside, folder) for inside in sealed), tuple(faults))


def _name(inside: Path, folder: Path) -> str:
    return inside.relative_to(folder.parent).as_posix()


def _broken(folder: Path) -> tuple[str, ...]:
    try:
        return broken_seals(folder)
    except DataError as error:
        return (f"{SEAL}: {error.message}",)


def _disagreements(work: Path, damaged: set[Path]) -> Iterator[str]:
    """What the files of a work folder say of each other and is not so.

    Args:
        work: The work folder.
        damaged: Folders in which a file has changed, so that nothing in them is believed.
    """
    folders = [path.parent for path in sorted(work.glob("runs/*/identity.json"))]
    runs = [Run(folder) for folder in folders if folder not in damaged]
    yield from (
        f"runs/{run.name}: is not finished; the command that began it goes on"
        for run in runs
        if not run.finished
    )
    finished = [run for run in runs if run.finished]
    yield from _strangers(work, finished, damaged)
    # A study names its entries in the place of variants, and leaves tables of parts away aside.
    of_study = work.parent.name == "studies"
    pattern = "predictions.parquet" if of_study else "predictions*.parquet"
    tables = [table for run in finished for table in sorted(run.folder.glob(pattern))]
    if tables and (work / "predictions.parquet").exists():
        try:
            whole, *parts = (
                Predictions.read(table).table for table in (work / "predictions.parquet", *tables)
            )
        except DataError as error:
            yield f"predictions.parquet: {error.message}"
            return
        rows = pl.concat(parts, how="diagonal")
        if not _same_rows(whole, rows, {"variant"} if of_study else set()):
            yield "predictions.parquet: is not the rows of the runs' tables; predict again"


def _strangers(work: Path, runs: list[Run], damaged: set[Path]) -> Iterator[str]:
    """Runs that were made from other inputs than the work folder holds now."""
    try:
        now = dict(_inputs(work, damaged))
    except SequelaError as error:
        yield error.message
        return
    for run in runs:
        identity = run.identity()
        for key, value in now.items():
            if identity.get(key) not in (None, value):
                yield f"runs/{run.name}: was made with another {_INPUTS[key]} than stands here"


def _inputs(work: Path, damaged: set[Path]) -> Iterator[tuple[str, str]]:
    """Fingerprints of what stands in a work folder.

    Raises:
        SequelaError: If something there is not as it was written.
    """
    if any((work / name).exists() for name in ("splits.csv", "splits.json")):
        yield "splits", Splits.read(work).fingerprint
    if (work / KNOWLEDGE).exists():
        yield "knowledge", FrozenKnowledge.read(work / KNOWLEDGE).fingerprint
    if (work / "prepared" / RECORD).exists() and work / "prepared" not in damaged:
        store = ImageStore.open(work / "prepared")
        yield from (("pixels", store.policy.fingerprint), ("images", store.fingerprint))


def _same_rows(one: pl.DataFrame, other: pl.DataFrame, aside: set[str]) -> bool:
    if set(one.columns) != set(other.columns):
        return False
    columns = sorted(set(one.columns) - aside)
    return one.select(columns).sort(columns).equals(other.select(columns).sort(columns))
