"""A small slide as a scanner writes it: tiled levels, and pictures of label and glass."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from jaxtyping import UInt8

_TILE = 64
_PINK, _GLASS = (215, 130, 190), (244, 243, 245)
_SOFTWARE = "Aperio Image Library v11.2.1 "


def tissue(side: int = 256, seed: int = 0) -> UInt8[np.ndarray, "height width 3"]:
    """Glass with one disc of noisy tissue."""
    generator = np.random.default_rng(seed)
    down, across = np.mgrid[:side, :side] - side / 2
    inside = (down**2 + across**2 < (side / 3) ** 2)[..., None]
    picture = np.where(inside, _PINK, _GLASS) + generator.normal(0, 12, (side, side, 3)) * inside
    pixels: np.ndarray = np.clip(picture, 0, 255).astype(np.uint8)
    return pixels


def aperio_slide(
    picture: UInt8[np.ndarray, "height width 3"],
    *,
    label: UInt8[np.ndarray, "rows columns 3"],
    macro: UInt8[np.ndarray, "rows columns 3"],
    told: str = "",
) -> bytes:
    """An SVS of two levels.

    Args:
        picture: The larger level.
        label: What the scanner saw of the paper label.
        macro: What it saw of the whole glass.
        told: More of the description, as scanners add user, date and file name.
    """
    height, width = picture.shape[:2]
    head = f"{_SOFTWARE}\r\n{width}x{height} [0,0 {width}x{height}] ({_TILE}x{_TILE}) JPEG/RGB Q=90"
    levels = {"compression": "jpeg", "photometric": "rgb", "tile": (_TILE, _TILE)}
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        _write(writer, picture, f"{head}|AppMag = 20|MPP = 0.5{told}", levels)
        _write(writer, picture[::4, ::4], f"{_SOFTWARE}\r\nthumbnail{told}", {})
        _write(writer, picture[::2, ::2], f"{head}{told}", levels)
        for name, shown, kind in (("label", label, 1), ("macro", macro, 9)):
            size = f"{shown.shape[1]}x{shown.shape[0]}"
            _write(writer, shown, f"{_SOFTWARE}\r\n{name} {size}{told}", {"subfiletype": kind})
    return file.getvalue()


def write_aperio_slide(path: Path, told: str = "", seed: int = 0) -> Path:
    """Write such a slide with plain pictures for its label and glass."""
    plain = np.full((48, 64, 3), 200, np.uint8)
    path.write_bytes(aperio_slide(tissue(seed=seed), label=plain, macro=plain, told=told))
    return path


def _write(
    writer: tifffile.TiffWriter, picture: np.ndarray, description: str, options: dict[str, Any]
) -> None:
    whole: dict[str, Any] = {"photometric": "rgb", "metadata": None, **options}
    writer.write(np.ascontiguousarray(picture), description=description, **whole)
