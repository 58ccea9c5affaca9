"""Tiny slides with known pixels, written as scanners and tools write them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import tifffile

PINK, GLASS = (215, 130, 190), (244, 243, 245)


def stained(height: int = 640, width: int = 512, seed: int = 0) -> np.ndarray:
    """Glass with one disc of noisy tissue."""
    generator = np.random.default_rng(seed)
    down, across = np.mgrid[:height, :width]
    inside = (down - height / 2) ** 2 + (across - width / 2) ** 2 < (min(height, width) / 3) ** 2
    picture = np.where(inside[..., None], PINK, GLASS).astype(float)
    picture += generator.normal(0, 12, picture.shape) * inside[..., None]
    return np.clip(picture, 0, 255).astype(np.uint8)


def write_slide(
    path: Path,
    picture: np.ndarray,
    *,
    mpp: float | None = 0.5,
    levels: int = 2,
    compression: str | None = "jpeg",
    coded: str = "ycbcr",
    tile: int | None = 64,
) -> Path:
    """A pyramid TIFF; generic to OpenSlide."""
    shape = {"tile": (tile, tile)} if tile else {}
    scale = {} if mpp is None else {"resolution": (1e4 / mpp,) * 2, "resolutionunit": "CENTIMETER"}
    with tifffile.TiffWriter(path) as file:
        for level in range(levels):
            file.write(
                np.ascontiguousarray(picture[:: 2**level, :: 2**level]),
                photometric="rgb",
                compression=compression,
                compressionargs={"outcolorspace": coded} if compression == "jpeg" else None,
                subfiletype=int(level > 0),
                metadata=None,
                **shape,
                **scale,
            )
    return path


def damaged(path: Path, where: Callable[[tifffile.TiffPage], int]) -> None:
    """Overwrite some bytes of the file from a place on its first page."""
    with tifffile.TiffFile(path) as file:
        start = where(file.pages[0])
    with path.open("r+b") as raw:
        raw.seek(start)
        raw.write(b"\0" * 200)
