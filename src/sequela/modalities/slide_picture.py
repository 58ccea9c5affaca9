"""The first look at a slide: its tiles chosen, and drawn with the tissue on a picture for eyes."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

from sequela.modalities.tiling import Overview, TiledSlide, Tiling, tile_slide
from sequela.storage import atomic

_LONGEST = 1400
_TISSUE, _TILE = (0, 150, 136), (30, 60, 200)
_DIMMED = 0.45


def look_at_slide(
    path: Path, tiling: Tiling, told: float | None, picture: Path
) -> tuple[TiledSlide, str]:
    """The tiles of a slide and the SHA-256 of its file; writes the picture; for a child process.

    Raises:
        DataError: As `tile_slide` does.
    """
    tiled, seen = tile_slide(path, tiling, told)
    write_slide_picture(picture, tiled, seen)
    with path.open("rb") as file:
        return tiled, hashlib.file_digest(file, "sha256").hexdigest()


def write_slide_picture(path: Path, tiled: TiledSlide, seen: Overview) -> None:
    """Draw the slide: what is no tissue dimmed, the tissue's edge green, tiles as blue squares."""
    shown = seen.picture.astype(np.float32)
    shown[~seen.mask] = shown[~seen.mask] * _DIMMED + 255 * (1 - _DIMMED) * 0.75
    edge = seen.mask ^ ndimage.binary_erosion(seen.mask)
    shown[edge] = _TISSUE
    picture = Image.fromarray(np.rint(shown).astype(np.uint8))
    picture.thumbnail((_LONGEST, _LONGEST))
    scale = np.array(picture.size) / tiled.shape[::-1]
    draw = ImageDraw.Draw(picture)
    span = tiled.grid.span * scale
    for corner in tiled.coords * scale:
        draw.rectangle((*corner, *(corner + span)), outline=_TILE)
    with atomic(path) as temporary:
        picture.save(temporary, format="PNG")
