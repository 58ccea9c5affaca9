"""FHIR bundles of patients → patients and dated note texts of a cohort."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import polars as pl

from sequela.cohort.image_checks import within
from sequela.cohort.table_files import write_table
from sequela.errors import DataError, UsageError
from sequela.importers.draft import draft_manifest
from sequela.importers.fhir_bundle import Resource, items, read_bundle, text
from sequela.importers.fhir_notes import (
    first_diagnosis,
    notes_by_day,
    parsed_day,
    told_by,
)
from sequela.importers.import_report import ImportFinding, ImportReport, files_beside
from sequela.importers.index_dates import read_index_dates, write_index_dates
from sequela.importers.pseudonyms import (
    Pseudonyms,
    default_key_file,
    open_pseudonyms,
    write_links,
)
from sequela.importers.unfinished import Filling
from sequela.progress import stage
from sequela.workers import Failure, Limits, available_cores, each

_LIMITS = Limits(memory=2 << 30, seconds=120.0)
_SUFFIXES = (".xml", ".json")
_YEAR = 365.25
_CODES = {"system", "use", "type", "resourceType", "extension"}
_HARMLESS = {"USA", "true", "false"}
_LOOK_BACK = 1826
"""Days before the index date from which notes are taken; childhood says little of a cancer."""
_OLDEST = 90
"""Age from which on people are few enough to be known by it (HIPAA safe harbour)."""


@dataclass(frozen=True)
class Record:
    """What is taken from one patient's bundle, in a child process.

    Attributes:
        identifier: The record number, as DICOM's PatientID would have it.
        index: Day of the first diagnosis of breast cancer, else of any, else of anything.
        age: On the index date, in whole years; None if the birth date is not known.
        notes: A note a day, its day counted from the index date.
        remarks: What was left out and why.
    """

    identifier: str
    index: date
    age: int | None
    notes: Mapping[int, str]
    remarks: tuple[str, ...]


def import_fhir(
    source: Path,
    out: Path,
    *,
    key: Path | None = None,
    index_dates: Path | None = None,
    workers: int | None = None,
) -> ImportReport:
    """Write `texts.csv` and the patients' ages, from FHIR bundles with one patient each.

    A note is one day's structured fields, by template; free text is not taken. No name, address,
    birth date, record number or calendar date is written. Patients already in `patients.csv`
    under the same key (from DICOM) are kept and given their age. Days count from the first
    diagnosis of breast cancer, else of anything, else from the first day told of; these dates
    are written beside the key, for `import_dicom` to count from the same day.

    Args:
        source: A bundle or a folder of them: XML (DSTU 2) or JSON (R4).
        out: The cohort folder.
        key: Key of the pseudonyms, outside `out`; made if absent. Default: beside `out`.
        index_dates: CSV with the columns patient_id (the record number) and index_date.
        workers: Processes that read bundles; default, one a core.

    Raises:
        UsageError: If there is nothing to read, `out` has texts, or exams counted from a day
            that is not said, or the key lies in it.
        DataError: If no bundle can be read.
    """
    files = _files(source)
    key = key or default_key_file(out)
    filling = Filling(out, "import fhir", (source, key))
    filling.require_new(("texts.csv",))
    _require_same_days(out, index_dates)
    pseudonyms = open_pseudonyms(key, out)
    given = read_index_dates(index_dates) if index_dates else {}
    records, findings = _read(files, given, workers or available_cores())
    if not records:
        ImportReport({}, tuple(findings)).write_unnamed(out, key, pseudonyms)
        raise _nothing_read(findings, key)
    with filling.marked():
        counts = _write(records, out, pseudonyms)
        messages = (*_written_beside(key, records, pseudonyms), *draft_manifest(out))
        report = ImportReport(counts, tuple(findings), messages)
        report.write_unnamed(out, key, pseudonyms)
    return report


def _nothing_read(findings: Sequence[ImportFinding], key: Path) -> DataError:
    reasons = ImportReport({}, tuple(findings)).reasons()
    return DataError(
        "none of the files holds a patient's bundle",
        hint=f"see import-report.csv for the reasons; {files_beside(key).name} names the files",
        items=tuple(f"{count} × {reason}" for reason, count in reasons.items()),
    )


def read_record(path: Path, given: Mapping[str, date]) -> Record:
    """What is taken from one bundle.

    Args:
        path: The bundle.
        given: Index dates by record number, for those who have one.

    Raises:
        DataError: If it is not a bundle of one patient with dated resources.
        ResourceLimitError: If it is larger or deeper than any patient's record.
    """
    resources = read_bundle(path)
    patients = [item for item in resources if item["resourceType"] == "Patient"]
    if len(patients) != 1:
        raise DataError(f"holds {len(patients)} patients; one is expected")
    patient = patients[0]
    identifier = _identifier(patient)
    told = told_by(item for item in resources if item is not patient)
    if not identifier or not told.statements:
        raise DataError("has no record number, or nothing that is dated")
    cancer = first_diagnosis(told.statements, of_breast_cancer=True)
    index = (
        given.get(identifier)
        or cancer
        or first_diagnosis(told.statements, of_breast_cancer=False)
        or min(item.day for item in told.statements)
    )
    hidden = _names_of(patient)
    days = {(day - index).days: note for day, note in notes_by_day(told.statements).items()}
    notes = {day: hidden.sub("[removed]", note) for day, note in days.items() if day >= -_LOOK_BACK}
    remarks = [f"{kind} without a date" for kind in Counter(told.undated).elements()]
    remarks += [f"{kind} not used" for kind in Counter(told.unused).elements()]
    remarks += ["note more than five years before the index date"] * (len(days) - len(notes))
    if cancer is None:
        remarks.append("no diagnosis of breast cancer")
    return Record(identifier, index, _age(patient, index), notes, tuple(remarks))


def _identifier(patient: Resource) -> str:
    """The medical record number, else the first identifier, else the resource's id."""
    numbers = items(patient, "identifier")
    medical = [number for number in numbers if text(number, "type.coding.code") == "MR"]
    return text((medical or numbers or [{}])[0], "value") or text(patient, "id")


def _age(patient: Resource, index: date) -> int | None:
    born = parsed_day(text(patient, "birthDate"))
    return None if born is None else min(int((index - born).days / _YEAR), _OLDEST)


def _names_of(patient: Resource) -> re.Pattern[str]:
    """Words that a note must not hold: the patient's names, places and numbers."""
    told = " ".join(
        word
        for field in ("id", "name", "address", "telecom", "identifier", "birthDate", "contact")
        for element in items(patient, field)
        for word in _texts(element)
    )
    words = {word for word in re.split(r"[^\w@.-]+", told) if len(word) > 2}
    choices = "|".join(map(re.escape, sorted(words - _HARMLESS, key=len, reverse=True)))
    return re.compile(rf"\b(?:{choices})\b" if choices else r"(?!)")


def _texts(element: object) -> Iterable[str]:
    if isinstance(element, dict):
        told = (child for name, child in element.items() if name not in _CODES)
        return (word for child in told for word in _texts(child))
    if isinstance(element, list):
        return (word for child in element for word in _texts(child))
    return (str(element),)


def _files(source: Path) -> list[Path]:
    found = [source] if source.is_file() else sorted(source.rglob("*"))
    home = source.resolve()
    files = [
        path
        for path in found
        if path.is_file() and path.suffix.lower() in _SUFFIXES and within(path, home)
    ]
    if not files:
        raise UsageError(
            f"{source.name} holds no FHIR bundle (.xml or .json)",
            hint="give a bundle, or the folder that holds them",
        )
    return files


def _require_same_days(out: Path, index_dates: Path | None) -> None:
    if (out / "exams.csv").exists() and index_dates is None:
        raise UsageError(
            f"{out.name} has exams, counted from days that this import does not know",
            hint="give --index-dates the file from which the exams' days were counted",
        )


def _read(
    files: Sequence[Path], given: Mapping[str, date], workers: int
) -> tuple[list[Record], list[ImportFinding]]:
    records: dict[str, Record] = {}
    findings = []
    with stage("Reading FHIR bundles", len(files)) as advance:
        tasks = [(file, given) for file in files]
        done = sorted(
            each(read_record, tasks, workers=workers, limits=_LIMITS), key=lambda one: one.index
        )
        for one in done:
            name, value = files[one.index].name, one.value
            if isinstance(value, Failure):
                findings.append(ImportFinding(name, "unreadable", value.reason))
            elif value.identifier in records:
                findings.append(ImportFinding(name, "refused", "a second bundle of a patient"))
            else:
                records[value.identifier] = value
                findings += [ImportFinding(name, "noted", remark) for remark in value.remarks]
            advance(1)
    return list(records.values()), findings


def _write(records: Sequence[Record], out: Path, pseudonyms: Pseudonyms) -> dict[str, int]:
    texts = [
        (
            pseudonyms.name("text", record.identifier, str(day)),
            _patient_id(pseudonyms, record),
            day,
            "note",
            "en",
            note,
        )
        for record in records
        for day, note in record.notes.items()
    ]
    ages = {_patient_id(pseudonyms, record): record.age for record in records}
    patients = _with_ages(out / "patients.csv", ages)
    write_table(patients, out / "patients.csv")
    schema = ("text_id", "patient_id", "day", "kind", "language", "text")
    table = pl.DataFrame(texts, schema=list(schema), orient="row").sort("patient_id", "day")
    write_table(table, out / "texts.csv")
    return {"patients": len(ages), "texts": len(texts)}


def _with_ages(path: Path, ages: Mapping[str, int | None]) -> pl.DataFrame:
    """The patients of the folder, if there are any, and those with an age."""
    schema = {"patient_id": pl.String, "age": pl.Int64}
    table = pl.DataFrame(list(ages.items()), schema=schema, orient="row")
    if path.exists():
        known = pl.read_csv(path, infer_schema=False).select(pl.exclude("age"))
        table = known.join(table, on="patient_id", how="full", coalesce=True)
    return table.sort("patient_id")


def _patient_id(pseudonyms: Pseudonyms, record: Record) -> str:
    return pseudonyms.name("patient", record.identifier)


def _written_beside(
    key: Path, records: Sequence[Record], pseudonyms: Pseudonyms
) -> tuple[str, ...]:
    """Who is who and the index dates, beside the key; said in words."""
    links = key.with_name(f"{key.stem}-fhir-links.csv")
    dates = key.with_name(f"{key.stem}-index-dates.csv")
    write_links(links, {item.identifier: _patient_id(pseudonyms, item) for item in records})
    write_index_dates(dates, {item.identifier: item.index for item in records})
    return (
        f"pseudonyms: the key is in {key.name}, who is who in {links.name}, which file is which "
        f"in {files_beside(key).name}, all outside the cohort folder; keep them safe and apart",
        f"days count from the dates in {dates.name}; import DICOM with it, so that days agree",
    )
