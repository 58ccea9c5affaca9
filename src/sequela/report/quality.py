"""What the prepared images look like, counted: vendors, policies, warnings."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

_COUNTED = (
    "vendor",
    "syntax",
    "transfer_syntax",
    "photometric",
    "window",
    "voi",
    "status",
    "warning",
)


@dataclass(frozen=True)
class ImageQuality:
    """Counts over the prepared images.

    Attributes:
        images: How many there are.
        counts: (column, value, images), by column and then largest first.
    """

    images: int
    counts: tuple[tuple[str, str, int], ...]


def image_quality(table: pl.DataFrame) -> ImageQuality:
    """Counts of what `prepared/images.parquet` says of each image."""
    counts: list[tuple[str, str, int]] = []
    for column in (name for name in _COUNTED if name in table.columns):
        values = table[column]
        if values.dtype == pl.List:
            values = values.explode()
        tally = values.drop_nulls().cast(pl.String).value_counts().iter_rows()
        rows = sorted(
            ((value, count) for value, count in tally if value), key=lambda row: (-row[1], row[0])
        )
        counts += [(column.replace("_", " "), value, count) for value, count in rows]
    return ImageQuality(len(table), tuple(counts))
