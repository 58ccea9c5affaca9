"""Tables under our column names, as text and typed, each row with its line."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import polars as pl

from sequela.cohort.findings import Finding, finding
from sequela.cohort.manifest import DAYS, FILE_NAME, Manifest, TableSource
from sequela.cohort.schema import GENES, SCHEMA, Column, columns_of
from sequela.cohort.table_files import ROW, read_rows

MISSING = ("", "NA", "N/A", "NaN", "nan", "NAN", "null", "NULL", "None", ".")
"""What stands for a missing value, after the manifest's own value mapping."""

DATE = (
    r"^(\d{4}[-/.]\d{1,2}[-/.]\d{1,2}.*"
    r"|\d{1,2}[-/.]\d{1,2}[-/.](\d{4}|\d{2})"
    r"|(19|20)\d{2}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01]))$"
)
"""A calendar date, also as DICOM writes it."""


@dataclass(frozen=True)
class Table:
    """A table under our column names.

    Attributes:
        name: Its name in the schema.
        file: Path inside the cohort folder.
        raw: The cells as text, and the line of each row in column `ROW`.
        typed: The same rows with numbers as numbers and times in days; null where they are not.
        columns: The columns of the schema that the file has.
        undeclared: Columns of the file that nothing declares.
        shared: Whether other tables are read from the same file.
    """

    name: str
    file: str
    raw: pl.DataFrame
    typed: pl.DataFrame
    columns: tuple[Column, ...]
    undeclared: tuple[str, ...]
    shared: bool

    @cached_property
    def cells(self) -> pl.DataFrame:
        """The typed columns under their names, the text of each under `raw(name)`."""
        texts = self.raw.select(pl.exclude(ROW).name.map(raw))
        return pl.concat([self.typed, texts], how="horizontal")

    def has(self, *names: str) -> bool:
        """Whether the file has all these columns."""
        return set(names) <= {column.name for column in self.columns}

    def where(self, bad: pl.Expr, code: str, column: str = "", **words: object) -> list[Finding]:
        """The finding `code` for every row for which `bad` is true."""
        rows = self.cells.filter(bad)[ROW]
        return [finding(code, self.file, row, column, **words) for row in rows]

    def where_known(self, column: str) -> Table:
        """The rows that have a value in a column; the table itself if it lacks the column."""
        if not self.has(column):
            return self
        known = self.raw[column].is_not_null()
        return replace(self, raw=self.raw.filter(known), typed=self.typed.filter(known))

    def repeated(self, key: tuple[str, ...], code: str, column: str) -> list[Finding]:
        """The finding `code` for every row whose key stands on an earlier row."""
        known = pl.all_horizontal(pl.col(key).is_not_null())
        first = pl.col(ROW).first().over(key).alias("first")
        rows = self.cells.filter(known).select(ROW, first).filter(pl.col(ROW) != pl.col("first"))
        return [finding(code, self.file, row, column, first=line) for row, line in rows.iter_rows()]


def raw(name: str) -> str:
    """The name under which `Table.cells` holds a column's text."""
    return f"{name} as text"


def _needed(manifest: Manifest) -> set[str]:
    """Tables without which the others mean nothing."""
    needed = {"patients"}
    if manifest.endpoints:
        needed.add("outcomes")
    if "images" in manifest.tables:
        needed.add("exams")
    return needed


def read_tables(folder: Path, manifest: Manifest) -> tuple[dict[str, Table], list[Finding]]:
    """Every table that can be read, and what kept the others from it."""
    tables, findings = {}, []
    for name in sorted(_needed(manifest) - manifest.tables.keys()):
        findings.append(finding("C009", FILE_NAME, column="tables", table=name))
    for name, source in manifest.tables.items():
        if name not in SCHEMA:
            if name not in GENES:
                words = {"table": name, "known": ", ".join([*SCHEMA, *GENES])}
                findings.append(finding("C020", FILE_NAME, None, "tables", **words))
            continue
        frame, faults = read_rows(folder, name, source)
        findings += faults
        if frame is None:
            continue
        table, faults = mapped_table(frame, name, source, manifest)
        findings += faults
        tables[name] = table
    return tables, findings


def mapped_table(
    frame: pl.DataFrame, name: str, source: TableSource, manifest: Manifest
) -> tuple[Table, list[Finding]]:
    """The cells of a file under our names, and what is wrong with its columns."""
    columns = columns_of(name, manifest)
    theirs = {column.name: source.columns.get(column.name, column.name) for column in columns}
    present = tuple(
        column
        for column in columns
        if theirs[column.name] in frame.columns or column.name in source.constants
    )
    cells = frame.select(ROW, *(_cell(column.name, theirs, source) for column in present))
    typed = cells.select(ROW, *(_typed(column, DAYS[manifest.time_unit]) for column in present))
    used = {ROW, *theirs.values()}
    undeclared = tuple(item for item in frame.columns if item not in used)
    findings = _unmapped(name, source, columns)
    findings += _absent(name, source, columns, present, frame)
    shared = sum(other.file == source.file for other in manifest.tables.values()) > 1
    return Table(name, source.file, cells, typed, present, undeclared, shared), findings


def _cell(ours: str, theirs: dict[str, str], source: TableSource) -> pl.Expr:
    if ours in source.constants:
        return pl.lit(str(source.constants[ours])).alias(ours)
    cell = pl.col(theirs[ours])
    if ours in source.values:
        mapping = source.values[ours]
        texts = [None if value is None else str(value) for value in mapping.values()]
        kind = pl.String
        cell = cell.replace(pl.Series(list(mapping), dtype=kind), pl.Series(texts, dtype=kind))
    return pl.when(~cell.str.strip_chars().is_in(MISSING)).then(cell).alias(ours)


def _typed(column: Column, unit: float) -> pl.Expr:
    cell = pl.col(column.name).str.strip_chars()
    match column.kind:
        case "number":
            return cell.cast(pl.Float64, strict=False)
        case "day":
            number = pl.when(~cell.str.contains(DATE)).then(cell).cast(pl.Float64, strict=False)
            return (number * unit).alias(column.name)
        case "code":
            number = cell.cast(pl.Float64, strict=False)
            return pl.when(number == number.round()).then(number).cast(pl.Int64, strict=False)
        case "id" | "text":
            return pl.col(column.name)
        case _:
            return _level(cell, column.choices)


def _level(cell: pl.Expr, levels: tuple[str, ...]) -> pl.Expr:
    """The level as declared: whole numbers come as 2.0 from tables that also have gaps."""
    if not levels:
        return cell
    whole = cell.str.replace(r"^(-?\d+)\.0+$", "$1")
    return (
        pl.when(cell.is_in(levels)).then(cell).when(whole.is_in(levels)).then(whole).otherwise(cell)
    )


def _unmapped(name: str, source: TableSource, columns: tuple[Column, ...]) -> list[Finding]:
    ours = {column.name for column in columns}
    named = [*source.columns, *source.values, *source.constants]
    return [
        finding("C010", FILE_NAME, column=item, table=name)
        for item in dict.fromkeys(named)
        if item not in ours
    ]


def _absent(
    name: str,
    source: TableSource,
    columns: tuple[Column, ...],
    present: tuple[Column, ...],
    frame: pl.DataFrame,
) -> list[Finding]:
    findings = []
    for column in columns:
        declared = name == "patients" and column.name not in ("site", "cancer_type")
        mapped = column.name in source.columns
        if column in present or not (column.required or declared or mapped):
            continue
        looked = f" (looked for as {source.columns[column.name]})" if mapped else ""
        findings.append(finding("C006", source.file, column=column.name, table=name, looked=looked))
    if frame.is_empty():
        findings.append(finding("C007", source.file, table=name))
    return findings
