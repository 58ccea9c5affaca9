"""Prepared images on one page, for eyes: sides, crops and what was odd, at a glance."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from PIL import Image, ImageDraw, ImageFont

from sequela.modalities.store import ImageStore
from sequela.storage import atomic

FILE_NAME = "contact-sheet.png"

_TILE, _CAPTION, _GAP, _ACROSS = 160, 30, 8, 8
_PAPER, _INK, _FAINT, _WARNED, _FAILED = "#16181c", "#e8e8e8", "#9aa0a6", "#ffb000", "#ff5c5c"


def write_contact_sheet(
    store: ImageStore, labels: Mapping[str, str], path: Path, *, most: int = 96
) -> None:
    """Draw up to `most` images, failed and warned ones first, then some of the others.

    Each is named by its row in `images.parquet`, from 1, never by an id: reports show the sheet.

    Args:
        store: The prepared images.
        labels: What to write under an image, such as "L CC", by image id.
        path: The PNG to write.
        most: How many images fit.
    """
    rows = _chosen(store.quality, most)
    across = min(_ACROSS, len(rows))
    down = -(-len(rows) // across)
    width = across * (_TILE + _GAP) + _GAP
    sheet = Image.new("RGB", (max(width, 480), 28 + down * (_TILE + _CAPTION + _GAP)), _PAPER)
    draw = ImageDraw.Draw(sheet)
    _write_heading(draw, store.quality, len(rows))
    for place, row in enumerate(rows):
        left = _GAP + place % across * (_TILE + _GAP)
        top = 28 + place // across * (_TILE + _CAPTION + _GAP)
        _draw_tile(sheet, draw, (left, top), store, row, labels.get(row["image_id"], ""))
    with atomic(path) as temporary:
        sheet.save(temporary, format="PNG", optimize=True)


def _chosen(quality: pl.DataFrame, most: int) -> list[dict[str, Any]]:
    quality = quality.with_row_index("place", offset=1)
    odd = (pl.col("failed") != "") | (pl.col("warnings").fill_null("") != "")
    first = quality.filter(odd).head(most)
    rest = quality.filter(~odd)
    free = min(most - len(first), len(rest))
    some = rest[np.linspace(0, len(rest) - 1, free).astype(int).tolist()] if free else rest.head(0)
    return pl.concat([first, some]).to_dicts()


def _write_heading(draw: ImageDraw.ImageDraw, quality: pl.DataFrame, shown: int) -> None:
    failed = quality.filter(pl.col("failed") != "").height
    warned = quality.filter(pl.col("warnings").fill_null("") != "").height
    text = f"{shown} of {len(quality)} images · {failed} failed · {warned} with warnings"
    draw.text((_GAP, 7), text, fill=_INK, font=_font(13))


def _draw_tile(
    sheet: Image.Image,
    draw: ImageDraw.ImageDraw,
    corner: tuple[int, int],
    store: ImageStore,
    row: Mapping[str, Any],
    label: str,
) -> None:
    left, top = corner
    colour = _FAILED if row["failed"] else _WARNED if row["warnings"] else "#3a3f46"
    if row["image_id"] in store:
        picture = Image.fromarray(np.asarray(store.pixels(row["image_id"])))
        sheet.paste(picture.resize((_TILE, _TILE), Image.Resampling.BOX), corner)
    else:
        _write_wrapped(draw, (left + 6, top + 6), row["failed"], _FAILED)
    draw.rectangle((left - 1, top - 1, left + _TILE, top + _TILE), outline=colour)
    caption = " ".join(filter(None, (label, f"row {row['place']}")))
    draw.text((left, top + _TILE + 2), _cut(caption, 24), fill=_INK, font=_font(11))
    note = row["warnings"] or row["greyscale"] or ""
    faint = _WARNED if row["warnings"] else _FAINT
    draw.text((left, top + _TILE + 15), _cut(note, 28), fill=faint, font=_font(10))


def _write_wrapped(
    draw: ImageDraw.ImageDraw, corner: tuple[int, int], text: str, colour: str
) -> None:
    lines: list[str] = [""]
    for word in text.split():
        if len(lines[-1]) + len(word) > 22:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    draw.multiline_text(corner, "\n".join(lines[:9]), fill=colour, font=_font(11))


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
