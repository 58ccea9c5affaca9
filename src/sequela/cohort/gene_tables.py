"""Tables of a column a gene: expression, mutation and copy number, a row a patient."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias, get_args

import numpy as np
import polars as pl
from jaxtyping import Bool, Float

from sequela.cohort.findings import Finding, errors, finding
from sequela.cohort.gene_units import Unit, possible_units
from sequela.cohort.manifest import FILE_NAME, TableSource
from sequela.cohort.table_files import ROW, native_rows
from sequela.cohort.tables import MISSING

GeneTableName: TypeAlias = Literal["expression", "mutation", "copy_number"]
GENE_TABLES: tuple[GeneTableName, ...] = get_args(GeneTableName)
_SHOWN = 10  # bad cells of one column that are named one by one


@dataclass(frozen=True)
class GeneTable:
    """What was measured of some patients' genes.

    Attributes:
        name: `expression`, `mutation` or `copy_number`.
        unit: Of expression; None for the others.
        patients: By row, ordered by id.
        genes: By column, ordered by name: HGNC symbols, or Ensembl ids without their version.
        values: NaN, here only, where nothing was measured.
    """

    name: GeneTableName
    unit: Unit | None
    patients: tuple[str, ...]
    genes: tuple[str, ...]
    values: Float[np.ndarray, "patient gene"]

    def of(
        self, patients: Sequence[str]
    ) -> tuple[Float[np.ndarray, "case gene"], Bool[np.ndarray, "case gene"]]:
        """Values of these patients and which are known; a patient without a row has none."""
        place = {patient: row for row, patient in enumerate(self.patients)}
        rows = np.array([place.get(patient, -1) for patient in patients], dtype=np.int64)
        values = np.where((rows >= 0)[:, None], self.values[rows], np.nan)
        known = np.isfinite(values)
        return np.where(known, values, 0.0), known

    def contents(self) -> bytes:
        """What the table says, whatever the order of its rows and columns was."""
        names = "\n".join((self.name, self.unit or "", *self.patients, "", *self.genes))
        return names.encode() + self.values.tobytes()


def read_gene_table(
    folder: Path, name: GeneTableName, source: TableSource, patients: pl.Series
) -> tuple[GeneTable | None, list[Finding]]:
    """A gene table, and everything that is wrong with it.

    Args:
        folder: The cohort folder.
        name: Which table.
        source: Where the manifest says that it is.
        patients: Every patient of the cohort.
    """
    frame, findings = native_rows(folder, name, source)
    if frame is None:
        return None, findings
    key = source.columns.get("patient_id", "patient_id")
    if key not in frame.columns:
        looked = f" (looked for as {key})"
        return None, [finding("C006", source.file, None, "patient_id", table=name, looked=looked)]
    ids = frame.select(ROW, pl.col(key).cast(pl.String).alias("patient_id"))
    findings = [*findings, *_id_findings(ids, source.file, patients)]
    numbers, faults = _numbers(frame.drop(ROW, key), frame[ROW], source.file)
    findings += faults
    if numbers.is_empty():
        findings.append(finding("C007", source.file, table=name))
    if errors(findings):
        return None, findings
    values = numbers.to_numpy().astype(np.float64)
    rows = np.argsort(ids["patient_id"].to_numpy())
    columns = np.argsort(np.array(numbers.columns))
    unit, said = _unit(name, source, values)
    table = GeneTable(
        name,
        unit,
        tuple(ids["patient_id"][rows.tolist()]),
        tuple(numbers.columns[column] for column in columns),
        np.ascontiguousarray(values[np.ix_(rows, columns)], dtype=np.float32),
    )
    return table, findings + said


def _id_findings(ids: pl.DataFrame, file: str, patients: pl.Series) -> list[Finding]:
    cell = pl.col("patient_id")
    first = pl.col(ROW).first().over("patient_id").alias("first")
    seen = ids.filter(cell.is_not_null()).with_columns(first)
    strangers = seen.filter(~cell.is_in(patients.drop_nulls().implode()))
    return [
        *(finding("C012", file, row, "patient_id") for row in ids.filter(cell.is_null())[ROW]),
        *(finding("C015", file, row, "patient_id", table="patients") for row in strangers[ROW]),
        *(
            finding("C063", file, row, "patient_id", first=line)
            for row, line in seen.filter(pl.col(ROW) != pl.col("first"))
            .select(ROW, "first")
            .iter_rows()
        ),
    ]


def _numbers(
    cells: pl.DataFrame, lines: pl.Series, file: str
) -> tuple[pl.DataFrame, list[Finding]]:
    """The columns that hold numbers, under the gene's name, and what is wrong with the others."""
    columns: dict[str, pl.Series] = {}
    findings = []
    for column in cells.iter_columns():
        name = _without_version(column.name)
        numbers, bad = _as_numbers(column)
        if bad.all():
            findings.append(finding("C065", file, None, column.name))
        elif bad.any():
            rows = lines.filter(bad)[:_SHOWN]
            findings += [finding("C021", file, row, column.name) for row in rows]
        elif numbers.is_infinite().any():
            rows = lines.filter(numbers.is_infinite().fill_null(value=False))[:_SHOWN]
            findings += [finding("C022", file, row, column.name) for row in rows]
        elif name in columns:
            findings.append(finding("C064", file, None, column.name))
        else:
            columns[name] = numbers
    return pl.DataFrame(columns), findings


def _as_numbers(column: pl.Series) -> tuple[pl.Series, pl.Series]:
    """The column as numbers, null where it is empty; and where it is neither."""
    if column.dtype.is_numeric() or column.dtype == pl.Boolean:
        numbers = column.cast(pl.Float64)
        return numbers.fill_nan(None), pl.Series([False]).new_from_index(0, len(column))
    if column.dtype != pl.String:
        return column.clear(len(column)).cast(pl.String), column.is_not_null()
    text = column.str.strip_chars()
    text = pl.select(pl.when(~text.is_in(MISSING)).then(text)).to_series()
    numbers = text.cast(pl.Float64, strict=False)
    return numbers, text.is_not_null() & numbers.is_null()


def _without_version(gene: str) -> str:
    return gene.partition(".")[0] if gene.startswith("ENS") else gene


def _unit(
    name: GeneTableName, source: TableSource, values: Float[np.ndarray, "patient gene"]
) -> tuple[Unit | None, list[Finding]]:
    if name == "mutation":
        known = values[np.isfinite(values)]
        fits = bool(np.isin(known, (0.0, 1.0)).all())
        return None, [] if fits else [finding("C069", source.file)]
    if name != "expression":
        return None, []
    possible = possible_units(values)
    if source.unit is None:
        return possible[0], [
            finding("C068", FILE_NAME, None, f"tables.{name}.unit", unit=possible[0])
        ]
    if source.unit in possible:
        return source.unit, []
    words = {"unit": source.unit, "possible": " or ".join(possible)}
    return source.unit, [finding("C061", source.file, None, "", **words)]
