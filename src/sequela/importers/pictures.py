"""A folder of PNG or NPY mammograms with a table of labels → a cohort's exams and images."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from sequela.cohort.table_files import write_table
from sequela.errors import DataError
from sequela.importers.draft import draft_manifest
from sequela.importers.import_report import ImportFinding, ImportReport, keys_told
from sequela.importers.pseudonyms import (
    KeptIds,
    Naming,
    default_key_file,
    open_pseudonyms,
    write_links,
)
from sequela.importers.unfinished import Filling
from sequela.redaction import headings
from sequela.storage import atomic, make_folder, require_space

_REQUIRED = ("file", "exam", "side", "view")
_SIDES = {"L": "L", "LEFT": "L", "R": "R", "RIGHT": "R"}
_STARTS = (b"\x89PNG\r\n\x1a\n", b"\x93NUMPY")


@dataclass(frozen=True)
class _Picture:
    """A row of the labels table, and the file it names."""

    file: Path
    image_id: str
    exam_id: str
    patient_id: str
    day: float
    side: str
    view: str


def import_pictures(
    source: Path,
    out: Path,
    *,
    labels: str = "labels.csv",
    columns: Mapping[str, str] | None = None,
    key: Path | None = None,
    keep_ids: bool = False,
) -> ImportReport:
    """Write the patients, exams and images of a folder of PNG or NPY files as tables.

    Files outside `out` are copied into it. The first file of a view of an exam is kept. How
    bright a value is, is not decided here but by `PixelPolicy.picture_white`.

    Args:
        source: Folder with the files and the labels table.
        out: The cohort folder.
        labels: CSV in `source` with the columns file, exam, side, view and, if known, patient
            (default: an exam is a patient) and day (default: 0).
        columns: Our column name to theirs, where they differ.
        key: Key of the pseudonyms, outside `out`; made if absent. Default: beside `out`.
        keep_ids: Whether ids and the names of files are pseudonyms already, and stay.

    Raises:
        UsageError: If `out` has such tables already, or the key lies in it.
        DataError: If the table cannot be read, lacks a column, or names nothing to import.
    """
    key = key or default_key_file(out)
    filling = Filling(out, "import pictures", (source / labels, key))
    filling.require_new(("patients.csv", "exams.csv", "images.csv"))
    naming = KeptIds() if keep_ids else open_pseudonyms(key, out)
    kept: dict[tuple[str, str, str], _Picture] = {}
    findings = []
    for name, verdict in _rows(_read_labels(source / labels, columns or {}), source):
        if isinstance(verdict, str):
            findings.append(ImportFinding(name, "refused", verdict))
            continue
        view = (verdict.exam_id, verdict.side, verdict.view)
        if kept.setdefault(view, verdict) is not verdict:
            reason = "is one of several images of this view; another was kept"
            findings.append(ImportFinding(name, "set aside", reason))
    with filling.marked():
        report = _imported(list(kept.values()), tuple(findings), out, key, naming)
    if not kept:
        raise DataError(
            f"{labels} names no image that can be imported",
            hint="see import-report.csv, which has the reason for each row",
        )
    return report


def _imported(
    pictures: Sequence[_Picture],
    findings: tuple[ImportFinding, ...],
    out: Path,
    key: Path,
    naming: Naming,
) -> ImportReport:
    """Write all that the import makes."""
    report = ImportReport(_write(pictures, out, naming), findings)
    drafted = draft_manifest(out) if pictures else ()
    if isinstance(naming, KeptIds):
        report.write(out)
        return replace(report, messages=drafted)
    report.write_unnamed(out, key, naming)
    links = key.with_name(f"{key.stem}-links.csv")
    write_links(links, {shot.patient_id: _named(shot, naming).patient_id for shot in pictures})
    return replace(report, messages=(keys_told(key), *drafted))


def _read_labels(path: Path, columns: Mapping[str, str]) -> pl.DataFrame:
    try:
        table = pl.read_csv(path, infer_schema=False).fill_null("")
    except (OSError, pl.exceptions.PolarsError):
        raise DataError(
            f"{path.name} cannot be read as CSV", hint="give the name of the labels table"
        ) from None
    table = table.rename({theirs: ours for ours, theirs in columns.items()}, strict=False)
    lacking = [name for name in _REQUIRED if name not in table.columns]
    if lacking:
        raise DataError(
            f"{path.name} lacks {', '.join(lacking)}; it has {headings(table.columns)}",
            hint="say which of its columns they are",
        )
    if "patient" not in table.columns:
        table = table.with_columns(patient=pl.col("exam"))
    return table if "day" in table.columns else table.with_columns(day=pl.lit("0"))


def _rows(table: pl.DataFrame, source: Path) -> Iterator[tuple[str, _Picture | str]]:
    """Each row's file, with what it is or why it is refused."""
    home = source.resolve()
    seen: set[str] = set()
    for row in table.iter_rows(named=True):
        values = {name: str(row[name]).strip() for name in (*_REQUIRED, "patient", "day")}
        name, side, view = values["file"], values["side"].upper(), values["view"].upper()
        file = (source / name).resolve()
        day = _number(values["day"])
        image_id = name.rpartition(".")[0].replace("/", "-")
        faults = {
            "names no file": not image_id,
            "lies outside the folder": not file.is_relative_to(home),
            "has the name of an earlier row": image_id in seen,
            "is missing": not file.is_file(),
            "has no exam or no patient": not values["exam"] or not values["patient"],
            "has a side other than L or R": side not in _SIDES,
            "has a view other than CC or MLO": view not in ("CC", "MLO"),
            "has a day that is not a number": day is None,
        }
        fault = next((fault for fault, holds in faults.items() if holds), "")
        seen.add(image_id)
        if fault or not _is_picture(file):
            yield name, fault or "is neither PNG nor NPY"
            continue
        identity = (image_id, values["exam"], values["patient"])
        yield name, _Picture(file, *identity, day or 0.0, _SIDES[side], view)


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _is_picture(file: Path) -> bool:
    with file.open("rb") as opened:
        return opened.read(8).startswith(_STARTS)


def _named(shot: _Picture, naming: Naming) -> _Picture:
    """The picture under the names that it has in the cohort."""
    return replace(
        shot,
        image_id=naming.name("image", shot.image_id),
        exam_id=naming.name("exam", shot.exam_id),
        patient_id=naming.name("patient", shot.patient_id),
    )


def _write(pictures: Sequence[_Picture], out: Path, naming: Naming) -> dict[str, int]:
    kept = [_named(shot, naming) for shot in pictures]
    home = out.resolve()
    make_folder(out)
    foreign = [shot for shot in kept if not shot.file.is_relative_to(home)]
    require_space(out, sum(shot.file.stat().st_size for shot in foreign))
    images = []
    for shot in kept:
        path = f"images/{shot.image_id}{shot.file.suffix}"
        if shot.file.is_relative_to(home):
            path = shot.file.relative_to(home).as_posix()
        else:
            with atomic(out / path) as temporary:
                shutil.copyfile(shot.file, temporary)
        images.append((shot.image_id, shot.exam_id, shot.side, shot.view, path))
    exams = sorted({(shot.exam_id, shot.patient_id, shot.day, "MG", "") for shot in kept})
    patients = sorted({(shot.patient_id,) for shot in kept})
    for name, columns, rows in (
        ("patients.csv", ["patient_id"], patients),
        ("exams.csv", ["exam_id", "patient_id", "day", "modality", "vendor"], exams),
        ("images.csv", ["image_id", "exam_id", "side", "view", "path"], images),
    ):
        if rows:
            write_table(pl.DataFrame(rows, schema=columns, orient="row"), out / name)
    return {"patients": len(patients), "exams": len(exams), "images": len(images)}
