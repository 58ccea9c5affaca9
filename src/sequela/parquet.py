"""Parquet from strangers: what it declares is checked, and a panic of the reader is an error."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from sequela.errors import DataError, ResourceLimitError
from sequela.memory import require_memory

_MOST_CELLS = 2_000_000_000
_WIDTHS: Mapping[int, tuple[object, ...]] = {
    1: (pl.Int8, pl.UInt8, pl.Boolean),
    2: (pl.Int16, pl.UInt16),
    4: (pl.Int32, pl.UInt32, pl.Float32, pl.Categorical),
    16: (pl.String, pl.Binary),
}


def read_parquet(path: Path) -> pl.DataFrame:
    """The table of a Parquet file.

    Raises:
        DataError: If the file is damaged.
        ResourceLimitError: If it declares more cells than any cohort has, or than fit.
    """
    with _without_words():
        try:
            lazy = pl.scan_parquet(path, glob=False)
            kinds = lazy.collect_schema().dtypes()
            columns = len(kinds)
            rows = lazy.select(pl.len()).collect().item()
            if rows * max(columns, 1) > _MOST_CELLS:
                raise ResourceLimitError(
                    f"{path.name} declares {rows:,} rows of {columns:,} columns",
                    hint=f"at most {_MOST_CELLS:,} cells are read",
                )
            require_memory(path.name, rows * sum(map(_width, kinds)))
            return pl.read_parquet(path, glob=False)
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
            raise DataError(
                f"{path.name} is no Parquet file, or is damaged ({type(error).__name__})",
                hint="write it again, or restore it",
            ) from None


def parquet_metadata(path: Path) -> dict[str, str]:
    """What the file says of itself beside its table.

    Raises:
        DataError: If the file is damaged.
    """
    with _without_words():
        try:
            return pl.read_parquet_metadata(path)
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
            raise DataError(
                f"{path.name} is no Parquet file, or is damaged ({type(error).__name__})",
                hint="write it again, or restore it",
            ) from None


def _width(kind: object) -> int:
    """Bytes that a cell takes at least."""
    return next((width for width, kinds in _WIDTHS.items() if kind in kinds), 8)


@contextmanager
def _without_words() -> Iterator[None]:
    """Within, nothing reaches the standard error: a panicking thread of the reader writes there."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
