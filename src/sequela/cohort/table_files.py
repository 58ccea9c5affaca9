"""Files of tables: the cells as they stand, each row with its line; and tables as CSV."""

from __future__ import annotations

import io
from pathlib import Path

import polars as pl

from sequela.cohort.findings import Finding, finding
from sequela.cohort.manifest import FILE_NAME, TableSource
from sequela.errors import DataError
from sequela.memory import require_memory
from sequela.parquet import read_parquet
from sequela.storage import atomic

ROW = "__row"
"""The column that holds the line of each row."""

_COPIES = 4  # of a text table, while it is read: bytes, cells, cells under our names
_MOST_COLUMNS = 200_000  # three times the genes and transcripts that there are
_TOO_WIDE = f"it has more than {_MOST_COLUMNS:,} columns"
_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}
_FORMAT = {".parquet": "Parquet", ".tsv": "tab-separated text"}


def read_rows(
    folder: Path, name: str, source: TableSource
) -> tuple[pl.DataFrame | None, list[Finding]]:
    """The cells of a file as text with the line of each row, or what keeps it from being read."""
    frame, findings = native_rows(folder, name, source)
    if frame is None:
        return None, findings
    flat = [item for item, kind in frame.schema.items() if item != ROW and not kind.is_nested()]
    return frame.select(ROW, pl.col(flat).cast(pl.String)), findings


def native_rows(
    folder: Path, name: str, source: TableSource
) -> tuple[pl.DataFrame | None, list[Finding]]:
    """The same with the types that a Parquet file gives its columns."""
    path, findings = located(folder, name, source)
    if path is None:
        return None, findings
    try:
        if path.suffix == ".parquet":
            return read_parquet(path).with_row_index(ROW, offset=1), []
        return _from_text(path, source.file)
    except DataError:
        return None, [finding("C004", source.file, format=_form(path), fault="it is broken")]
    except pl.exceptions.PolarsError as error:
        more = "more fields" in str(error)
        fault = "a row has more cells than the header" if more else "it is broken"
        return None, [finding("C004", source.file, format=_form(path), fault=fault)]


def located(folder: Path, name: str, source: TableSource) -> tuple[Path | None, list[Finding]]:
    """The file that the manifest names for a table, which must lie inside the folder."""
    path = folder / source.file
    if "\0" in source.file or not path.resolve().is_relative_to(folder.resolve()):
        return None, [finding("C042", FILE_NAME, None, f"tables.{name}.file")]
    if not path.is_file():
        return None, [finding("C003", source.file, table=name)]
    return path, []


def _form(path: Path) -> str:
    return _FORMAT.get(path.suffix, "comma-separated text")


def _from_text(path: Path, file: str) -> tuple[pl.DataFrame | None, list[Finding]]:
    require_memory(path.name, _COPIES * path.stat().st_size)
    data = path.read_bytes()
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        return None, [finding("C005", file, data.count(b"\n", 0, error.start) + 1)]
    data = data.removeprefix(b"\xef\xbb\xbf")
    separator = separator_of(data, path.suffix)
    if not data.strip():
        return pl.DataFrame({ROW: []}, schema={ROW: pl.UInt32}), []
    if data.partition(b"\n")[0].count(separator.encode()) > _MOST_COLUMNS:
        return None, [finding("C004", file, 1, format=_form(path), fault=_TOO_WIDE)]
    frame = pl.read_csv(io.BytesIO(data), infer_schema=False, separator=separator)
    if any(name.endswith("_duplicated_0") for name in frame.columns):
        fault = "two columns have the same name"
        return None, [finding("C004", file, 1, format=_form(path), fault=fault)]
    said = separator != "," and path.suffix != ".tsv"
    faults = [finding("C008", file, separator=_SEPARATORS[separator])] if said else []
    return _with_lines(frame), faults


def separator_of(data: bytes, suffix: str) -> str:
    """What lies between the cells of a text table, by its header; a comma if there is any."""
    header = data.partition(b"\n")[0].decode()
    if suffix == ".tsv" or "," in header:
        return "\t" if suffix == ".tsv" else ","
    return max(_SEPARATORS, key=header.count) if any(map(header.count, _SEPARATORS)) else ","


def _with_lines(frame: pl.DataFrame) -> pl.DataFrame:
    """The line on which each row begins: cells may hold line breaks, blank lines are no rows."""
    breaks = pl.sum_horizontal(pl.all().str.count_matches("\n").fill_null(0))
    head = sum(name.count("\n") for name in frame.columns)
    line = pl.int_range(pl.len()) + 2 + head + breaks.cum_sum() - breaks
    blank = pl.all_horizontal(pl.exclude(ROW).is_null())
    return frame.with_columns(line.cast(pl.UInt32).alias(ROW)).filter(~blank)


def write_table(table: pl.DataFrame, path: Path) -> Path:
    """Write a table as CSV, whole or not at all."""
    with atomic(path) as temporary:
        table.write_csv(temporary)
    return path
