"""A whole-slide image: its levels, its resolution, any part of it; opened in child processes only.

OpenSlide reads the scanners' formats and DICOM; label and macro images are never asked for.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import openslide
import tifffile
from jaxtyping import UInt8

from sequela.cohort.patient import BELIEVABLE_MPP
from sequela.errors import DataError, ResourceLimitError
from sequela.modalities.jpeg_tiles import TIFF_FAULTS, JpegTiles, plain_jpeg_levels

_TILES_ALONE = {"aperio", "generic-tiff"}
"""Vendors whose levels are one TIFF page each, without overlap and without holes."""

_SQUARE = 0.02
_MOST_PIXELS = 100_000_000
_NOT_A_SLIDE = "is not a slide: neither a format that OpenSlide knows, nor DICOM, nor a colour TIFF"


@dataclass(frozen=True)
class Level:
    """One resolution of a slide.

    Attributes:
        width: In pixels.
        height: In pixels.
        downsample: Pixels of the largest level that a pixel of this one covers, along an axis.
    """

    width: int
    height: int
    downsample: float


@dataclass(frozen=True)
class SlideFile:
    """An opened slide.

    Attributes:
        levels: From the largest to the smallest.
        mpp: Micrometres a pixel of the largest level, as the file says; None where it does not, or
            says what no scanner makes.
    """

    levels: tuple[Level, ...]
    mpp: float | None
    _pixels: openslide.OpenSlide | UInt8[np.ndarray, "height width 3"]
    _plain: Mapping[int, JpegTiles]

    @classmethod
    def open(cls, path: Path) -> SlideFile:
        """Open a slide.

        Raises:
            DataError: If it is none, or one that cannot be read.
        """
        try:
            slide = openslide.OpenSlide(path)
            levels = tuple(
                Level(*size, downsample)
                for size, downsample in zip(
                    slide.level_dimensions, slide.level_downsamples, strict=True
                )
            )
        except openslide.OpenSlideUnsupportedFormatError:
            return cls._flat(path)
        except (openslide.OpenSlideError, OSError) as error:
            raise DataError(_told(error)) from None
        plain = {}
        if slide.properties.get(openslide.PROPERTY_NAME_VENDOR) in _TILES_ALONE:
            pages = plain_jpeg_levels(path)
            sizes = [(level.width, level.height) for level in levels]
            plain = {rank: pages[size] for rank, size in enumerate(sizes) if size in pages}
        return cls(levels, _mpp(slide.properties), slide, plain)

    @classmethod
    def _flat(cls, path: Path) -> SlideFile:
        """A small TIFF without tiles, which is read as a whole."""
        try:
            with tifffile.TiffFile(path) as file:
                page = file.pages[0]
                if page.ndim != 3 or page.shape[2] != 3 or page.dtype != np.uint8:
                    raise DataError(_NOT_A_SLIDE)
                height, width = page.shape[:2]
                if height * width > _MOST_PIXELS:
                    raise ResourceLimitError(
                        "is a TIFF without tiles, too large to be read as a whole"
                    )
                pixels = page.asarray()
        except TIFF_FAULTS:
            raise DataError(_NOT_A_SLIDE) from None
        return cls((Level(width, height, 1.0),), None, pixels, {})

    @cached_property
    def plain(self) -> frozenset[int]:
        """The levels whose tiles we decode ourselves."""
        return frozenset(self._plain)

    def read(
        self, level: int, x: int, y: int, width: int, height: int
    ) -> UInt8[np.ndarray, "height width 3"]:
        """Some pixels of a level, all inside it.

        Args:
            level: Which.
            x: Of the left edge, in pixels of the largest level.
            y: Of the upper edge, in pixels of the largest level.
            width: In pixels of the level.
            height: In pixels of the level.

        Raises:
            DataError: If the file is damaged there.
        """
        if isinstance(self._pixels, np.ndarray):
            return self._pixels[y : y + height, x : x + width]
        left, top = x / self.levels[level].downsample, y / self.levels[level].downsample
        if level in self._plain and left.is_integer() and top.is_integer():
            return self._plain[level].read(int(left), int(top), width, height)
        try:
            region = np.asarray(self._pixels.read_region((x, y), level, (width, height)))
        except (openslide.OpenSlideError, OSError) as error:
            raise DataError(_told(error)) from None
        return _on_white(region)


def _on_white(region: UInt8[np.ndarray, "height width 4"]) -> UInt8[np.ndarray, "height width 3"]:
    """Where the scanner took no picture there is glass, not black."""
    colours, alpha = region[..., :3], region[..., 3:]
    if (alpha == 255).all():
        return np.ascontiguousarray(colours)
    share = alpha.astype(np.float32) / 255
    return np.rint(colours * share + 255 * (1 - share)).astype(np.uint8)


def _mpp(properties: Mapping[str, str]) -> float | None:
    found: list[float] = []
    for name in (openslide.PROPERTY_NAME_MPP_X, openslide.PROPERTY_NAME_MPP_Y):
        with contextlib.suppress(KeyError, ValueError):
            found.append(float(properties[name]))
    least, most = BELIEVABLE_MPP
    if len(found) < 2 or not all(least <= value <= most for value in found):
        return None
    if abs(found[0] / found[1] - 1) > _SQUARE:
        raise DataError("its pixels are not square")
    return sum(found) / 2


def _told(error: Exception) -> str:
    """A sentence; what the library says may hold a path, so only its number is taken."""
    compression = re.search(r"compression:? (\d+)", str(error))
    if compression:
        return f"its TIFF compression {compression[1]} is not one that OpenSlide decodes"
    return "is damaged: OpenSlide cannot decode it"
