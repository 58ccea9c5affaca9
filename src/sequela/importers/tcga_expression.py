"""TCGA's expression: STAR counts, a file a sample, or one matrix → a row a patient."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from sequela.errors import DataError, ResourceLimitError
from sequela.importers.barcodes import Barcode, barcode_in

UNITS = ("tpm_unstranded", "unstranded", "fpkm_unstranded", "fpkm_uq_unstranded")
"""Columns of a STAR counts file that may be taken."""
STAR = ("gene_id", "gene_name", "tpm_unstranded")
_HEAD, _MOST_BYTES, _BLOCK = 4 << 20, 4 << 30, 1 << 20


@dataclass(frozen=True)
class Expression:
    """A row a patient, a column a gene.

    Attributes:
        table: patient_id, then genes.
        unit: What the numbers are, as far as the files say.
        repeated: Samples that were not taken, for the patient's first primary tumour was.
    """

    table: pl.DataFrame
    unit: str
    repeated: int


def is_star(columns: list[str]) -> bool:
    """Whether a table is the GDC's STAR counts of one sample."""
    return set(STAR) <= set(columns)


def is_matrix(columns: list[str], first_cells: list[str]) -> bool:
    """Whether a table has samples as its columns or rows, and much beside."""
    across = sum(barcode_in(column) is not None for column in columns[1:])
    down = sum(barcode_in(cell) is not None for cell in first_cells)
    return across > 0.5 * len(columns[1:]) > 0 or (
        down > 0.5 * len(first_cells) and len(columns) > 50
    )


def from_star(files: Mapping[Path, Barcode], unit: str = UNITS[0]) -> Expression:
    """The expression of every patient with a primary tumour, genes by their HGNC symbols.

    Args:
        files: STAR counts and the sample that each is of.
        unit: Which of its columns to take.

    Raises:
        DataError: If a file is not of the GDC's form.
    """
    chosen = _first_of_each(files)
    columns: list[pl.DataFrame] = []
    for file, barcode in chosen.items():
        genes = _genes(file, unit)
        if columns and not genes["gene"].equals(columns[0]["gene"]):
            raise DataError(
                f"{file.name} lists other genes than the files before it",
                hint="import files of one gene model (GENCODE version) alone",
            )
        columns.append(genes.select("gene", pl.col("value").alias(barcode.patient)))
    values = pl.concat([columns[0], *(each.drop("gene") for each in columns[1:])], how="horizontal")
    table = values.transpose(include_header=True, header_name="patient_id", column_names="gene")
    return Expression(table.sort("patient_id"), unit, len(files) - len(chosen))


def _genes(file: Path, unit: str) -> pl.DataFrame:
    """Gene symbols and values; a symbol that stands for several genes has their sum."""
    try:
        table = read_table(file)
        told = table.filter(pl.col("gene_name").is_not_null()).select(
            pl.col("gene_name").alias("gene"), pl.col(unit).cast(pl.Float32).alias("value")
        )
    except pl.exceptions.PolarsError:
        raise DataError(
            f"{file.name} is not a table of STAR counts as the GDC writes them",
            hint="download the file again",
        ) from None
    return told.group_by("gene", maintain_order=True).sum()


def from_matrix(table: pl.DataFrame) -> Expression:
    """The rows of patients with a primary tumour of a matrix, whichever way it lies.

    Args:
        table: Cells as text; genes or samples in the first column, the others in the header.
    """
    names, first = table.columns[1:], table.columns[0]
    if sum(barcode_in(name) is not None for name in names) > 0.5 * len(names):
        genes = table.with_columns(pl.col(first).map_elements(_symbol, pl.String)).filter(
            pl.col(first) != ""
        )
        genes = genes.unique(first, keep="first", maintain_order=True)
        table = genes.transpose(include_header=True, header_name=first, column_names=first)
    barcodes = {name: barcode_in(name) for name in table[first].to_list()}
    samples = {Path(name): each for name, each in barcodes.items() if each}
    chosen = {str(name): each.patient for name, each in _first_of_each(samples).items()}
    rows = table.filter(pl.col(first).is_in(list(chosen))).with_columns(
        pl.col(first).replace(chosen).alias(first), pl.exclude(first).cast(pl.Float32, strict=False)
    )
    return Expression(
        rows.rename({first: "patient_id"}).sort("patient_id"),
        "as in the matrix",
        len(samples) - len(chosen),
    )


def _symbol(name: str) -> str:
    """`TP53|7157` → TP53, `ENSG00000141510.18` without its version; empty where it is none."""
    symbol = name.partition("|")[0]
    return "" if symbol == "?" else symbol.partition(".")[0] if symbol[:4] == "ENSG" else symbol


def _first_of_each(files: Mapping[Path, Barcode]) -> dict[Path, Barcode]:
    """The first primary tumour of each patient, by the order of sample type and file name."""
    ordered = sorted(files.items(), key=lambda item: (item[1].sample, item[0].name))
    chosen: dict[str, tuple[Path, Barcode]] = {}
    for file, barcode in ordered:
        if barcode.primary:
            chosen.setdefault(barcode.patient, (file, barcode))
    return dict(chosen.values())


def read_table(file: Path, rows: int | None = None) -> pl.DataFrame:
    """A table of text cells, tabs or commas, gzipped or not, comment lines left out.

    Args:
        file: The table.
        rows: Read the first ones alone.

    Raises:
        DataError: If it is no such table.
        ResourceLimitError: If it is larger than a table of TCGA's is.
    """
    separator = "," if ".csv" in file.suffixes else "\t"
    try:
        return pl.read_csv(
            io.BytesIO(_content(file, _MOST_BYTES if rows is None else _HEAD)),
            separator=separator,
            infer_schema=False,
            comment_prefix="#",
            n_rows=rows,
            truncate_ragged_lines=False,
            quote_char='"' if separator == "," else None,
        )
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, EOFError, zlib.error):
        raise DataError(
            f"{file.name} is not a table that can be read", hint="download the file again"
        ) from None


def _content(file: Path, most: int) -> bytes:
    """What the file holds, unpacked; of a longer one its first whole lines, if few are asked for.

    A small gzip file may unpack to any length, so no more is unpacked than is read.
    """
    with file.open("rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
    blocks, read = [], 0
    with gzip.open(file) if packed else file.open("rb") as opened:
        while read <= most and (block := opened.read(_BLOCK)):
            blocks.append(block)
            read += len(block)
    content = b"".join(blocks)
    if read <= most:
        return content
    if most < _MOST_BYTES:
        return content[: content.rfind(b"\n", 0, most) + 1]
    raise ResourceLimitError(
        f"{file.name} unpacks to more than {_MOST_BYTES >> 30} GiB",
        hint="split it, if it is what it says; it may be made to fill the memory",
    )
