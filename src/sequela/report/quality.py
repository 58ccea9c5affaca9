"""What the prepared images look like, counted: vendors, encodings, warnings, failures."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

_COUNTED = ("vendor", "encoding", "photometric", "greyscale", "warnings", "failed")


@dataclass(frozen=True)
class ImageQuality:
    """Counts over the images that were to be prepared.

    Attributes:
        images: How many there are, failed ones included.
        failed: How many could not be prepared.
        counts: (property, its values with their counts, largest first).
    """

    images: int
    failed: int
    counts: tuple[tuple[str, tuple[tuple[str, int], ...]], ...]


def image_quality(table: pl.DataFrame) -> ImageQuality:
    """Counts of what `prepared/images.parquet` says of each image."""
    tallies = ((column, _tally(table, column)) for column in _COUNTED if column in table.columns)
    failed = table["failed"].fill_null("") if "failed" in table.columns else pl.Series([""])
    return ImageQuality(
        images=len(table),
        failed=int((failed != "").sum()),
        counts=tuple((column, values) for column, values in tallies if values),
    )


def _tally(table: pl.DataFrame, column: str) -> tuple[tuple[str, int], ...]:
    """How often each value stands in a column; warnings of one image are parted by `; `."""
    values = table[column].drop_nulls().str.split("; ").explode()
    counts = values.filter(values != "").value_counts().iter_rows()
    return tuple(sorted(counts, key=lambda row: (-row[1], row[0])))
