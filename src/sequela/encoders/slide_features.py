"""Slides of a cohort → one feature file a slide: resumed, parallel, whole or absent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
import torch

from sequela.cohort.patient import Slide
from sequela.encoders.patch import build_patch_encoder
from sequela.encoders.slide_encoding import (
    Row,
    SlideEncoding,
    SlideSettings,
    Workplace,
    failed_row,
    newer,
    required,
    row_of,
)
from sequela.errors import DataError
from sequela.modalities.feature_file import (
    in_place,
    read_header,
    take_over,
)
from sequela.modalities.slide_bags import INDEX
from sequela.progress import Advance, stage
from sequela.storage import atomic, owned
from sequela.workers import Failure, Limits, available_cores, each

_LIMITS = Limits(memory=8 << 30, seconds=900.0)
_SCHEMA = {
    **dict.fromkeys(("slide_id", "encoder", "encoder_hash", "failed"), pl.String),
    **dict.fromkeys(("patches", "width"), pl.Int64),
    "mpp": pl.Float64,
}


@dataclass(frozen=True)
class SlideReport:
    """What became of the slides.

    Attributes:
        slides: How many were asked for.
        made: How many this run encoded or took over.
        patches: How many there are in all.
        failed: Why a slide has no features, by slide id.
    """

    slides: int
    made: int
    patches: int
    failed: dict[str, str] = field(default_factory=dict)


def prepare_slides(
    slides: Iterable[Slide],
    folder: Path,
    settings: SlideSettings,
    workers: int | None = None,
    *,
    device: torch.device | None = None,
    limits: Limits = _LIMITS,
) -> SlideReport:
    """Make `SLIDE.safetensors` of every slide, a picture of what was cut, and an index of them.

    Given features are read and checked, HDF5 being written again as safetensors; of other slides
    the tiles are encoded. A slide is left alone if its file stands, newer than its source and made
    in the same way. A slide that cannot be read is a row of the index with the reason.

    Raises:
        DataError: If feature files differ in width or encoder.
        UsageError: If the encoder cannot be built.
    """
    slides = sorted(slides, key=lambda slide: slide.slide_id)
    work = Workplace(folder, workers or available_cores(), limits)
    given = [slide for slide in slides if slide.features is not None]
    pictured = [slide for slide in slides if slide.features is None and slide.path is not None]
    rows = {slide.slide_id: failed_row("has neither a picture nor features") for slide in slides}
    with owned(folder), stage("Preparing slides", len(slides)) as advance:
        rows |= _adopted(given, work, advance)
        advance(len(slides) - len(given) - len(pictured))
        made = len(given)
        if pictured:
            encoder = build_patch_encoder(settings.encoder)
            maker = SlideEncoding(work, settings, encoder, device or torch.device("cpu"))
            found = {slide.slide_id: maker.found(slide) for slide in pictured}
            left = [slide for slide in pictured if found[slide.slide_id] is None]
            rows |= {name: row for name, row in found.items() if row is not None}
            advance(len(pictured) - len(left))
            rows |= maker.make(left, advance)
            made += len(left)
        index = _write_index(folder, rows)
    _require_alike(index)
    broken = index.filter(pl.col("failed") != "")
    return SlideReport(
        len(slides),
        made - len(broken),
        int(index["patches"].sum()),
        dict(zip(broken["slide_id"], broken["failed"], strict=True)),
    )


def _write_index(folder: Path, rows: Mapping[str, Row]) -> pl.DataFrame:
    table = [{"slide_id": name, **row} for name, row in sorted(rows.items())]
    index = pl.DataFrame(table, schema=_SCHEMA)
    with atomic(folder / INDEX) as temporary:
        index.write_parquet(temporary)
    return index


def _adopted(slides: Sequence[Slide], work: Workplace, advance: Advance) -> dict[str, Row]:
    """Rows of the slides whose features are given."""
    rows: dict[str, Row] = {}
    waiting: list[tuple[Slide, tuple[object, ...]]] = []
    for slide in slides:
        source, target = required(slide.features), work.file(slide)
        if in_place(source) is None and newer(target, source):
            rows[slide.slide_id] = row_of(*read_header(target))
            advance(1)
        else:
            waiting.append((slide, (source, target)))
    tasks = [task for _, task in waiting]
    results = each(take_over, tasks, workers=work.workers, limits=work.limits) if tasks else ()
    for done in results:
        found = done.value
        row = failed_row(found.reason) if isinstance(found, Failure) else row_of(*found)
        rows[waiting[done.index][0].slide_id] = row
        advance(1)
    return rows


def _require_alike(index: pl.DataFrame) -> None:
    """Refuse features of several encoders: their numbers mean different things.

    Raises:
        DataError: If widths or encoders differ.
    """
    whole = index.filter(pl.col("failed") == "")
    for column, told in (("width", "numbers a patch"), ("encoder", "as their encoder")):
        kinds = whole[column].drop_nulls().value_counts(sort=True)
        if len(kinds) > 1:
            counted = ", ".join(f"{count} have {kind}" for kind, count in kinds.iter_rows())
            raise DataError(
                f"feature files of different encoders: {counted} {told}",
                hint=f"make all with one encoder; the column {column} of {INDEX} says which differ",
            )
    if whole["encoder_hash"].drop_nulls().n_unique() > 1:
        raise DataError(
            "feature files of one encoder, but of different weights",
            hint=f"make all with the same weights; see the column encoder_hash of {INDEX}",
        )
