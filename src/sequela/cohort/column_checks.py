"""Rules for single columns: ids, references, numbers, choices, covariates."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping

import polars as pl

from sequela.cohort.findings import Finding, finding
from sequela.cohort.manifest import FILE_NAME, Manifest
from sequela.cohort.schema import SCHEMA, Column
from sequela.cohort.tables import DATE, Table, raw
from sequela.redaction import are_headings

_NO_FILE_NAME = r"[/\\\p{Cc}]|^\."
_CLOSE = 0.8


def column_findings(
    table: Table, tables: Mapping[str, Table], manifest: Manifest
) -> Iterator[Finding]:
    """What is wrong with the cells of one table, each column by itself."""
    for column in table.columns:
        if column.kind == "id":
            yield from _id_findings(table, column, tables, manifest)
        elif column.required:
            # A text without words is no text, and is read as none.
            code = "C037" if column.kind == "text" else "C024"
            yield from table.where(pl.col(raw(column.name)).is_null(), code, column.name)
        if column.kind in ("number", "day", "code"):
            yield from _number_findings(table, column, manifest)
        elif column.choices and column.name not in manifest.clinical:
            yield from _choice_findings(table, column)
    if table.name == "patients":
        yield from _covariate_findings(table, manifest)
    yield from _misspelt(table)


def _id_findings(
    table: Table, column: Column, tables: Mapping[str, Table], manifest: Manifest
) -> Iterator[Finding]:
    name, cell = column.name, pl.col(column.name)
    if column.required:
        yield from table.where(cell.is_null(), "C012", name)
    yield from table.where(cell != cell.str.strip_chars(), "C014", name)
    if name in ("patient_id", "exam_id"):
        yield from table.where(cell.str.contains(_NO_FILE_NAME), "C017", name)
    schema = SCHEMA[table.name]
    if schema.keyed and name == schema.key:
        yield from table.repeated((name,), "C013", name)
    if column.refers == "exams" and not column.required and "exams" not in manifest.tables:
        yield from table.where(cell.is_not_null(), "C015", name, table="exams")
    other = tables.get(column.refers)
    if other is not None and other.has(SCHEMA[column.refers].key):
        known = other.typed[SCHEMA[column.refers].key]
        orphan = ~cell.is_in(known.drop_nulls().implode())
        yield from table.where(orphan, "C015", name, table=column.refers)


def _number_findings(table: Table, column: Column, manifest: Manifest) -> Iterator[Finding]:
    name, text = column.name, pl.col(raw(column.name)).str.strip_chars()
    number = text.cast(pl.Float64, strict=False)
    date = text.str.contains(DATE) if column.kind == "day" else pl.lit(value=False)
    yield from table.where(date, "C023", name, unit=manifest.time_unit)
    yield from table.where(text.is_not_null() & number.is_null() & ~date, "C021", name)
    yield from table.where(number.is_infinite() | number.is_nan(), "C022", name)


def _choice_findings(table: Table, column: Column) -> list[Finding]:
    bad = ~pl.col(column.name).is_in(column.choices)
    words = {"choices": ", ".join(column.choices), "table": table.name}
    return table.where(bad, "C025", column.name, **words)


def _covariate_findings(table: Table, manifest: Manifest) -> Iterator[Finding]:
    for name, covariate in manifest.clinical.items():
        if covariate.kind in ("ordinal", "categorical") and not covariate.levels:
            yield finding("C054", FILE_NAME, None, name, kind=covariate.kind)
        if not table.has(name):
            continue
        cell, levels = pl.col(name), covariate.levels
        if levels:
            yield from table.where(~cell.is_in(levels), "C052", name, levels=", ".join(levels))
        elif covariate.kind == "binary":
            yield from table.where(~cell.is_in([0.0, 1.0]), "C055", name)
        if len(table.raw) and table.raw[name].is_null().all():
            yield finding("C053", table.file, None, name)


def _misspelt(table: Table) -> Iterator[Finding]:
    """Columns that nothing declares, where a column of ours is missing that is called alike."""
    missing = [column.name for column in SCHEMA[table.name].columns if not table.has(column.name)]
    for name in table.undeclared:
        close = difflib.get_close_matches(name.lower(), missing, n=1, cutoff=_CLOSE)
        if close:
            yield finding("C011", table.file, None, name, close=close[0])
        elif table.name == "patients" and not table.shared:
            shown = name if are_headings(table.undeclared) else ""
            yield finding("C051", table.file, None, shown)
