"""Prepared images and maps as PNG files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from sequela.storage import atomic

_SIDE = 320  # pixels of a stored image
_MAP_SIDE = 64  # a map is far coarser; it is stretched where it is shown
_ORANGE, _YELLOW = np.array([230.0, 90.0, 0.0]), np.array([255.0, 220.0, 60.0])
_OPAQUE = 200.0


def write_image(path: Path, pixels: UInt8[np.ndarray, "height width"]) -> None:
    """Write a prepared image as a grey PNG of at most 320 pixels."""
    image = Image.fromarray(pixels)
    image.thumbnail((_SIDE, _SIDE))
    with atomic(path) as temporary:
        image.save(temporary, "PNG", optimize=True)


def write_map(path: Path, strength: Float[np.ndarray, "row column"]) -> None:
    """Write a map as a PNG to lay over its image: clear at 0, orange, then yellow at 1."""
    size = (_MAP_SIDE, _MAP_SIDE)
    smooth = Image.fromarray(strength.astype(np.float32)).resize(size, Image.Resampling.BICUBIC)
    level = np.asarray(smooth).clip(0, 1)[:, :, None]
    colour = _ORANGE + (_YELLOW - _ORANGE) * level
    alpha = _OPAQUE * level
    image = Image.fromarray(np.concatenate([colour, alpha], axis=2).astype(np.uint8), "RGBA")
    with atomic(path) as temporary:
        image.save(temporary, "PNG", optimize=True)
