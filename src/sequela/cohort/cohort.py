"""A cohort folder, read: patients with their exams, covariates and outcomes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from operator import attrgetter
from pathlib import Path
from typing import Any, TypeVar

import polars as pl

from sequela.cohort.checks import checked_tables
from sequela.cohort.findings import errors
from sequela.cohort.gene_sets import GeneSets
from sequela.cohort.gene_tables import GeneTable, GeneTableName
from sequela.cohort.manifest import Manifest
from sequela.cohort.molecular import read_molecular
from sequela.cohort.patient import Exam, Image, Patient, Slide, Text
from sequela.cohort.tables import Table
from sequela.errors import DataError
from sequela.storage import fingerprint

_OUTCOMES = {
    "patient_id": pl.String,
    "endpoint": pl.String,
    "time": pl.Float64,
    "event": pl.Int64,
    "entry": pl.Float64,
}

Row = dict[str, Any]
Built = TypeVar("Built")


@dataclass(frozen=True)
class Cohort:
    """Every patient of a folder whose tables kept the contract.

    Attributes:
        folder: The cohort folder, absolute.
        manifest: What `cohort.yaml` says.
        patients: All patients, by id.
        covariates: `patient_id` and the declared clinical columns, a row a patient in the same
            order: numbers as Float64, the rest as the level's name; null where not known.
        outcomes: patient_id, endpoint, time, event, entry; times in days from the index date.
        fingerprint: SHA-256 of the manifest and the tables' contents, whatever their row order.
        genes: Expression, mutation and copy number, those that there are.
        gene_sets: The sets of the GMT file; empty where there is none.
    """

    folder: Path
    manifest: Manifest
    patients: tuple[Patient, ...]
    covariates: pl.DataFrame
    outcomes: pl.DataFrame
    fingerprint: str
    genes: Mapping[GeneTableName, GeneTable] = field(default_factory=dict)
    gene_sets: GeneSets = field(default_factory=dict)

    def patient(self, patient_id: str) -> Patient:
        """The patient of that id; KeyError if there is none."""
        return self._by_id[patient_id]

    @cached_property
    def _by_id(self) -> Mapping[str, Patient]:
        return {patient.patient_id: patient for patient in self.patients}

    @cached_property
    def image_paths(self) -> Mapping[str, Path]:
        """Where each image lies, by image id."""
        exams = (exam for patient in self.patients for exam in patient.exams)
        return {image.image_id: image.path for exam in exams for image in exam.images}


def read_cohort(folder: Path) -> Cohort:
    """The cohort in `folder`, its tables checked row by row.

    Raises:
        DataError: If a table breaks the contract; `items` names every bad row.
        UsageError: If the manifest cannot be used.
    """
    manifest = Manifest.load(folder)
    tables, findings = checked_tables(folder, manifest)
    molecular = read_molecular(folder, manifest, tables)
    findings = findings + molecular.findings
    if faults := errors(findings):
        raise DataError(
            f"{folder.name} holds {len(faults)} fault(s) that keep it from being read",
            hint="mend them in the tables; `sequela check` lists them with the way to mend each",
            items=tuple(str(fault) for fault in faults),
        )
    frames = {name: _ordered(table) for name, table in tables.items()}
    home = folder.resolve()
    return Cohort(
        folder=home,
        manifest=manifest,
        patients=_patients(frames, home),
        covariates=frames["patients"].select("patient_id", *manifest.clinical),
        outcomes=_outcomes(frames["outcomes"])
        if "outcomes" in frames
        else pl.DataFrame(schema=_OUTCOMES),
        fingerprint=_fingerprint(manifest, frames, molecular.contents()),
        genes=molecular.genes,
        gene_sets=molecular.gene_sets,
    )


def _ordered(table: Table) -> pl.DataFrame:
    columns = [column.name for column in table.columns]
    return table.typed.select(columns).sort(columns, nulls_last=True)


def _outcomes(frame: pl.DataFrame) -> pl.DataFrame:
    if "entry" not in frame.columns:
        frame = frame.with_columns(entry=pl.lit(None, dtype=pl.Float64))
    return frame.select(_OUTCOMES.keys())


def _fingerprint(
    manifest: Manifest, frames: Mapping[str, pl.DataFrame], molecular: Iterable[bytes]
) -> str:
    parts: list[str | bytes] = [manifest.model_dump_json(exclude_none=True)]
    for name in sorted(frames):
        frame = frames[name]
        parts += [name, frame.select(sorted(frame.columns)).write_csv()]
    return fingerprint(*parts, *molecular)


def _patients(frames: Mapping[str, pl.DataFrame], folder: Path) -> tuple[Patient, ...]:
    exams = _exams(frames, folder)
    texts = _collected("patient_id", _text, _rows(frames, "texts", exam_id=False))
    slides = _collected("patient_id", partial(_slide, folder), _rows(frames, "slides"))
    return tuple(
        Patient(
            patient_id=row["patient_id"],
            site=row.get("site") or "",
            exams=tuple(sorted(exams[row["patient_id"]], key=attrgetter("day", "exam_id"))),
            texts=tuple(sorted(texts[row["patient_id"]], key=attrgetter("day", "text_id"))),
            cancer_type=row.get("cancer_type") or "",
            slides=tuple(slides[row["patient_id"]]),
        )
        for row in _rows(frames, "patients")
    )


def _exams(frames: Mapping[str, pl.DataFrame], folder: Path) -> Mapping[str, list[Exam]]:
    images = _collected("exam_id", partial(_image, folder), _rows(frames, "images"))
    texts = _collected("exam_id", _text, _rows(frames, "texts", exam_id=True))

    def exam(row: Row) -> Exam:
        return Exam(
            exam_id=row["exam_id"],
            day=row["day"],
            modality=row.get("modality") or "",
            vendor=row.get("vendor") or "",
            images=tuple(images[row["exam_id"]]),
            texts=tuple(sorted(texts[row["exam_id"]], key=attrgetter("day", "text_id"))),
        )

    return _collected("patient_id", exam, _rows(frames, "exams"))


def _image(folder: Path, row: Row) -> Image:
    return Image(row["image_id"], row["side"], row["view"], folder / row["path"])


def _slide(folder: Path, row: Row) -> Slide:
    found = {name: folder / row[name] for name in ("path", "features") if row.get(name)}
    return Slide(row["slide_id"], **found, mpp=row.get("mpp"))


def _text(row: Row) -> Text:
    available = row.get("available_day")
    return Text(
        text_id=row["text_id"],
        day=row["day"],
        available_day=row["day"] if available is None else available,
        kind=row["kind"],
        text=row["text"],
        language=row.get("language") or "",
    )


def _rows(
    frames: Mapping[str, pl.DataFrame], name: str, *, exam_id: bool | None = None
) -> Iterator[Row]:
    """The rows of a table, in order; of texts that are not blank, those with or without an exam."""
    rows = frames[name].iter_rows(named=True) if name in frames else iter(())
    if exam_id is None:
        return rows
    return (row for row in rows if row["text"] and (row.get("exam_id") is not None) == exam_id)


def _collected(
    key: str, build: Callable[[Row], Built], rows: Iterable[Row]
) -> defaultdict[str, list[Built]]:
    """What the rows describe, gathered under the id in column `key`."""
    gathered: defaultdict[str, list[Built]] = defaultdict(list)
    for row in rows:
        gathered[row[key]].append(build(row))
    return gathered
