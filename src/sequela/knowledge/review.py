"""Findings go out to a person as a table and come back accepted or corrected."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import polars as pl

from sequela.cohort.table_files import write_table
from sequela.errors import DataError
from sequela.knowledge.frozen import FILE_NAME, FrozenKnowledge
from sequela.knowledge.schema import FIELDS, UNKNOWN, Finding, StructuredReport
from sequela.storage import owned

_COLUMNS = ("patient_id", "field", "value", "evidence", "review")
_HINT = "change only the columns value and review of the table that `review --out` wrote"


def write_review(knowledge: FrozenKnowledge, file: Path) -> int:
    """Write a row for every field of every patient with a report; gives their number."""
    rows = [
        (patient, name, each.value, each.evidence.words if each.evidence else "", each.review)
        for patient, report in sorted(knowledge.reports.items())
        if report.known
        for name, each in report.findings.items()
    ]
    schema = dict.fromkeys(_COLUMNS, pl.String)
    write_table(pl.DataFrame(rows, schema=schema, orient="row"), file)
    return len(rows)


def take_review(work: Path, file: Path) -> dict[str, int]:
    """Take a reviewed table into the frozen file; gives how many findings have which status.

    A value that differs from the one found is a correction, whatever the column review says.

    Raises:
        DataError: If the table is not the one written, or a value is not of its field's
            vocabulary; every bad row is named.
    """
    rows, faults = _rows(file), []
    with owned(work):
        knowledge = FrozenKnowledge.read(work / FILE_NAME)
        reports = {patient: dict(each.findings) for patient, each in knowledge.reports.items()}
        for line, row in enumerate(rows.iter_rows(named=True), start=2):
            finding = reports.get(row["patient_id"], {}).get(row["field"])
            reviewed = _reviewed(finding, row) if finding else None
            if reviewed is None:
                faults.append(f"{file.name}, row {line}")
            else:
                reports[row["patient_id"]][row["field"]] = reviewed
        if faults:
            raise DataError(
                f"{file.name} holds {len(faults)} row(s) of an unknown patient, field, value or "
                "review",
                hint=_HINT,
                items=tuple(faults),
            )
        merged = {name: StructuredReport.of(each.values()) for name, each in reports.items()}
        replace(knowledge, reports=merged).write(work / FILE_NAME)
    return review_status(merged)


def review_status(reports: Mapping[str, StructuredReport]) -> dict[str, int]:
    """How many findings nobody has looked at, were accepted, and were corrected."""
    counts = Counter(each.review for report in reports.values() for each in report.known)
    return {name: counts[name] for name in ("unreviewed", "accepted", "corrected")}


def _rows(file: Path) -> pl.DataFrame:
    try:
        rows = pl.read_csv(file, infer_schema=False)
    except (OSError, pl.exceptions.PolarsError):
        raise DataError(f"{file.name} cannot be read as CSV", hint=_HINT) from None
    if not set(_COLUMNS) <= set(rows.columns):
        raise DataError(f"{file.name} needs the columns {', '.join(_COLUMNS)}", hint=_HINT)
    return rows.with_columns(pl.col(_COLUMNS).fill_null("").str.strip_chars())


def _reviewed(found: Finding, row: Mapping[str, str]) -> Finding | None:
    """The finding as a person leaves it; None where the row cannot be used."""
    value = row["value"] or UNKNOWN
    if value != found.value:
        fits = value == UNKNOWN or FIELDS[found.field].admits(value)
        return Finding(found.field, value, None, "corrected") if fits else None
    if row["review"] not in ("unreviewed", "accepted", "corrected", ""):
        return None
    accepted = row["review"] == "accepted" and found.review == "unreviewed"
    return replace(found, review="accepted") if accepted else found
