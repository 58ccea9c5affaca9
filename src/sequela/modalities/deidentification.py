"""A folder of DICOM files → copies that name nobody, each read in a child process."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from sequela.cohort.table_files import write_table
from sequela.errors import DataError, UsageError
from sequela.importers.deidentified import write_deidentified
from sequela.importers.dicom_file import BROKEN, read_dicom
from sequela.importers.pseudonyms import Pseudonyms, open_pseudonyms
from sequela.importers.unfinished import Filling
from sequela.modalities.burned_in import has_burned_in_text
from sequela.modalities.dicom_pixels import stored_values
from sequela.progress import stage
from sequela.workers import Failure, Limits, available_cores, each

REPORT = "deidentify-report.csv"
_LIMITS = Limits(memory=4 << 30, seconds=120.0)


@dataclass(frozen=True)
class Copied:
    """One copy that was written.

    Attributes:
        path: Inside the new folder.
        burned_in: Whether its pixels seem to hold letters; None where they cannot be decoded.
    """

    path: str
    burned_in: bool | None


@dataclass(frozen=True)
class Deidentified:
    """What became of the files.

    Attributes:
        copied: How many were written.
        burned_in: Copies whose pixels seem to hold letters: for a person to look at.
        unseen: Copies whose pixels could not be decoded, so nobody looked for letters.
        refused: How many were not copied, by reason.
    """

    copied: int
    burned_in: tuple[str, ...]
    unseen: tuple[str, ...]
    refused: dict[str, int]


def deidentify(source: Path, out: Path, key: Path, *, workers: int | None = None) -> Deidentified:
    """Write a copy of every DICOM file below `source` that names nobody.

    Args:
        source: Searched to any depth; links are not followed.
        out: A new folder, apart from `source`.
        key: Key of the pseudonyms, UIDs and days, outside `out`; made if absent.
        workers: Child processes; default, one a core.

    Raises:
        UsageError: If `source` is no folder, or `out` holds files or lies in it.
        DataError: If nothing could be copied.
    """
    filling = Filling(out, "deidentify", (source, key))
    _require_apart(source, filling)
    pseudonyms = open_pseudonyms(key, out)
    files = [
        Path(folder) / name
        for folder, _, names in os.walk(source)
        for name in names
        if not (Path(folder) / name).is_symlink()
    ]
    with filling.marked():
        found = _copies(sorted(files), out, pseudonyms, workers or available_cores())
        copied = _reported(found, out)
    reasons = Counter(one.reason for one in found if isinstance(one, Failure))
    flagged = tuple(one.path for one in copied if one.burned_in)
    unseen = tuple(one.path for one in copied if one.burned_in is None)
    return Deidentified(len(copied), flagged, unseen, dict(reasons))


def _reported(found: Sequence[Copied | Failure], out: Path) -> list[Copied]:
    """The copies, also as a table in the folder.

    Raises:
        DataError: If there are none.
    """
    copied = sorted((one for one in found if isinstance(one, Copied)), key=lambda one: one.path)
    if not copied:
        reasons = Counter(one.reason for one in found if isinstance(one, Failure))
        raise DataError(
            f"none of the {len(found)} files could be copied",
            hint="give a folder with DICOM files",
            items=tuple(f"{count} × {reason}" for reason, count in reasons.most_common()),
        )
    rows = [(one.path, one.burned_in) for one in copied]
    schema = {"file": pl.String, "burned_in_text": pl.Boolean}
    write_table(pl.DataFrame(rows, schema=schema, orient="row"), out / REPORT)
    return copied


def _require_apart(source: Path, filling: Filling) -> None:
    out = filling.out
    if not source.is_dir():
        raise UsageError(f"{source.name} is not a folder", hint="give the folder with the DICOM")
    if out.exists() and (not out.is_dir() or (any(out.iterdir()) and not filling.begun)):
        raise UsageError(f"{out.name} is not a new folder", hint="give --out a new name")
    if out.resolve().is_relative_to(source.resolve()):
        raise UsageError(f"{out.name} lies inside the source", hint="give --out a folder beside it")


def _copies(
    files: Sequence[Path], out: Path, pseudonyms: Pseudonyms, workers: int
) -> list[Copied | Failure]:
    found = []
    tasks = [(file, out, pseudonyms) for file in files]
    with stage("De-identifying", len(files)) as advance:
        for done in each(write_copy, tasks, workers=workers, limits=_LIMITS):
            found.append(done.value)
            advance(1)
    return found


def write_copy(file: Path, out: Path, pseudonyms: Pseudonyms) -> Copied:
    """Write the copy of one file, named by pseudonyms of its patient and image.

    Raises:
        DataError: If it is no DICOM file that can be read, or names no patient or image.
    """
    dataset = read_dicom(file, pixels=True)
    try:
        patient, image = (
            str(dataset.get(name) or "").strip() for name in ("PatientID", "SOPInstanceUID")
        )
        if not image:
            raise DataError("has no SOPInstanceUID")
        said, burned_in = _looked_at(dataset)
    except BROKEN as error:
        raise DataError(f"its DICOM header is broken ({type(error).__name__})") from None
    path = f"{pseudonyms.name('patient', patient)}/{pseudonyms.name('image', image)}.dcm"
    write_deidentified(dataset, out / path, pseudonyms, burned_in=said)
    return Copied(path, burned_in)


def _looked_at(dataset: object) -> tuple[str, bool | None]:
    """What the header says of burned-in letters, and what the pixels say."""
    try:
        stored, _ = stored_values(dataset)  # type: ignore[arg-type]
    except (DataError, *BROKEN):
        return "YES", None  # nobody knows, so the copy says that it may
    found = has_burned_in_text(stored)
    said = str(getattr(dataset, "BurnedInAnnotation", "")).strip().upper() == "YES"
    return ("YES" if found or said else "NO"), found or said
