"""What each file of a TCGA download is: told from its name, its header and the GDC's lists."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import polars as pl

from sequela import workers
from sequela.cohort.image_checks import within
from sequela.errors import DataError, ResourceLimitError
from sequela.importers import tcga_clinical, tcga_expression
from sequela.importers.barcodes import Barcode, barcode_in
from sequela.importers.import_report import ImportFinding
from sequela.importers.spreadsheet import read_sheet
from sequela.importers.tcga_expression import read_table
from sequela.parquet import read_parquet

TableKind = Literal["curated", "clinical", "matrix", "reports"]
SampleKind = Literal["star", "report", "slide", "features"]

SLIDES = (".svs", ".tif", ".tiff", ".ndpi", ".mrxs")
FEATURES = (".h5", ".hdf5", ".pt", ".safetensors")
_TABLES = (".csv", ".tsv", ".txt", ".gz", ".xlsx", ".parquet")
_REASONS = {
    ".pdf": "a scanned report; have its text recognised first, and give that as .txt",
    ".maf": "mutations: this import does not read them",
    ".xml": "a clinical supplement; the clinical table says the same",
    ".json": "a list of the GDC's, used to tell whose files are whose",
}


@dataclass(frozen=True)
class FoundTable:
    """A table of many patients, with its cells, for it was read to tell what it is."""

    kind: TableKind
    path: Path
    table: pl.DataFrame


@dataclass(frozen=True)
class FoundSample:
    """A file of one sample, and whose it is."""

    kind: SampleKind
    path: Path
    barcode: Barcode


Found = FoundTable | FoundSample


def sorted_files(source: Path) -> tuple[list[Found], list[ImportFinding]]:
    """Every file of a folder, at any depth: what it is, or why it is not taken."""
    home = source.resolve()
    files = sorted(path for path in source.rglob("*") if path.is_file() and within(path, home))
    owners = _owners(files)
    found, findings = [], []
    for path in files:
        try:
            kind = _kind(path, owners.get(path.name) or barcode_in(path.name))
        except (DataError, ResourceLimitError) as error:
            kind = ("unreadable", error.message.removeprefix(f"{path.name} "))
        if isinstance(kind, tuple):
            findings.append(ImportFinding(str(path.relative_to(source)), *kind))
        else:
            found.append(kind)
    return found, findings


_Refusal = tuple[Literal["set aside", "unreadable"], str]


def _kind(path: Path, barcode: Barcode | None) -> Found | _Refusal:
    ending = path.suffix.lower()
    if ending in SLIDES or ending in FEATURES:
        if barcode is None:
            return "set aside", "no TCGA barcode in its name, so nobody knows whose it is"
        return FoundSample("slide" if ending in SLIDES else "features", path, barcode)
    if _is_list(path) or ending not in _TABLES:
        return "set aside", _REASONS.get(ending, "not a file that this import knows")
    if ending == ".txt" and barcode is not None:
        return FoundSample("report", path, barcode)
    return _table(path, barcode)


def _is_list(path: Path) -> bool:
    """Whether it is one of the lists that come with a download."""
    name = path.name.lower()
    return name.startswith(("gdc_manifest", "gdc_sample_sheet", "metadata.cart", "annotations"))


def _table(path: Path, barcode: Barcode | None) -> Found | _Refusal:
    head = _whole(path) if path.suffix in (".xlsx", ".parquet") else read_table(path, rows=20)
    if head is None:
        return "unreadable", "not an xlsx table that can be read"
    columns = head.columns
    if tcga_expression.is_star(columns):
        if barcode is None:
            return "set aside", "STAR counts without the GDC's sample sheet or metadata beside them"
        return FoundSample("star", path, barcode)
    if tcga_clinical.is_curated(columns):
        return FoundTable("curated", path, _rest(path, head))
    if tcga_clinical.is_clinical(columns):
        return FoundTable("clinical", path, _rest(path, head))
    if "text" in columns and _key(head):
        return FoundTable("reports", path, _rest(path, head))
    if head.width > 1 and tcga_expression.is_matrix(columns, _first_cells(head)):
        return FoundTable("matrix", path, _rest(path, head))
    return "set aside", "a table that this import does not know"


def _key(table: pl.DataFrame) -> str:
    """The column whose cells are barcodes; empty if there is none."""
    for column in table.columns:
        cells = table[column].drop_nulls().to_list()
        if column != "text" and cells and all(barcode_in(cell) for cell in cells[:20]):
            return column
    return ""


def report_texts(table: pl.DataFrame) -> Iterator[tuple[Barcode, str]]:
    """Whose report each row of a table of reports is, and its text."""
    key = _key(table)
    for cell, text in zip(table[key], table["text"], strict=True):
        barcode = barcode_in(cell or "")
        if barcode is not None:
            yield barcode, text or ""


def _first_cells(head: pl.DataFrame) -> list[str]:
    return [cell or "" for cell in head[head.columns[0]].head(20)]


def _rest(path: Path, head: pl.DataFrame) -> pl.DataFrame:
    return head if path.suffix in (".xlsx", ".parquet") else read_table(path)


def _whole(path: Path) -> pl.DataFrame | None:
    """A table that is no plain text; a stranger's xlsx is unpacked in a child process."""
    if path.suffix == ".parquet":
        return read_parquet(path).cast(pl.String)
    done = next(iter(workers.each(read_sheet, [(path, "TCGA-CDR")], workers=1)))
    return None if isinstance(done.value, workers.Failure) else done.value


def _owners(files: list[Path]) -> dict[str, Barcode]:
    """Whose files are whose, by the GDC's sample sheets and metadata."""
    owners: dict[str, Barcode] = {}
    for path in files:
        if path.name.startswith("gdc_sample_sheet"):
            pairs = _from_sample_sheet(path)
        elif path.name.startswith("metadata.cart"):
            pairs = _from_metadata(path)
        else:
            continue
        owners.update({name: barcode for name, text in pairs if (barcode := barcode_in(text))})
    return owners


def _from_sample_sheet(path: Path) -> list[tuple[str, str]]:
    try:
        table = read_table(path)
        return list(zip(table["File Name"], table["Sample ID"], strict=True))
    except (DataError, pl.exceptions.PolarsError):
        return []


def _from_metadata(path: Path) -> list[tuple[str, str]]:
    try:
        files = json.loads(path.read_text(encoding="utf-8"))
        return [
            (each["file_name"], each["associated_entities"][0]["entity_submitter_id"])
            for each in files
        ]
    except (ValueError, KeyError, IndexError, TypeError, RecursionError):
        return []
