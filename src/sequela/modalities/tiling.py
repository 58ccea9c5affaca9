"""Which tiles of a slide are looked at: a grid at a stated resolution, where there is tissue."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8
from PIL import Image
from pydantic import Field, PositiveFloat, PositiveInt

from sequela.errors import DataError
from sequela.modalities.slide_file import SlideFile
from sequela.modalities.tissue import overview, tissue_mask
from sequela.settings import Settings

_SAME = 0.05
"""Levels this close to the wanted resolution are read as they are, and their resolution is told."""


class Tiling(Settings):
    """How a slide is cut.

    Attributes:
        mpp: Micrometres a pixel of a tile; 0.5 is what is called 20 ×.
        tile: Pixels along an edge of a tile, as the encoder sees it.
        tissue: Least share of a tile that is tissue.
        assumed_mpp: Micrometres a pixel of the largest level, for slides of which neither the file
            nor the column `mpp` of the slides table says it.
    """

    mpp: PositiveFloat = 0.5
    tile: PositiveInt = 224
    tissue: float = Field(0.5, ge=0, le=1)
    assumed_mpp: PositiveFloat | None = None


@dataclass(frozen=True)
class Grid:
    """How tiles are read.

    Attributes:
        level: Of the slide.
        span: Pixels of the largest level along an edge of a tile; tiles lie side by side.
        size: Pixels of the level along an edge.
        tile: Pixels along an edge after shrinking.
        mpp: Micrometres a pixel of a tile, truly.
    """

    level: int
    span: int
    size: int
    tile: int
    mpp: float


@dataclass(frozen=True)
class TiledSlide:
    """What will be read of a slide.

    Attributes:
        grid: How tiles are read.
        coords: Left and upper edge of each tile, in pixels of the largest level.
        shape: Height and width of the largest level.
        slide_mpp: Micrometres a pixel of the largest level.
    """

    grid: Grid
    coords: Int[np.ndarray, "patch 2"]
    shape: tuple[int, int]
    slide_mpp: float


@dataclass(frozen=True)
class Overview:
    """The whole slide, small, and where on that picture there is tissue."""

    picture: UInt8[np.ndarray, "height width 3"]
    mask: Bool[np.ndarray, "height width"]


def tile_slide(
    path: Path, tiling: Tiling, told: float | None = None
) -> tuple[TiledSlide, Overview]:
    """Choose the tiles of a slide, by a small picture of it; for a child process.

    Args:
        path: The slide.
        tiling: How to cut it.
        told: What the slides table says of its micrometres a pixel.

    Raises:
        DataError: If it cannot be read, its resolution is not known or too low, or no tile holds
            enough tissue.
    """
    slide = SlideFile.open(path)
    mpp = told or slide.mpp or tiling.assumed_mpp
    if mpp is None:
        raise DataError(
            "neither the file nor the table says its micrometres a pixel: fill in the column mpp "
            "of the slides table, or set slides.assumed_mpp"
        )
    grid = _grid(slide, tiling, mpp)
    shape = slide.levels[0].height, slide.levels[0].width
    if min(shape) < grid.span:
        raise DataError(
            f"it has {shape[1]} × {shape[0]} pixels, less than a tile of {grid.span} (slides.tile)"
        )
    picture = overview(slide)
    mask = tissue_mask(picture)
    coords = _coords(mask, grid.span, shape, tiling.tissue)
    if not len(coords):
        raise DataError("no tile of it holds enough tissue (slides.tissue, slides.tile)")
    return TiledSlide(grid, coords, shape, mpp), Overview(picture, mask)


def _grid(slide: SlideFile, tiling: Tiling, mpp: float) -> Grid:
    """Read from the smallest level that is not coarser than what is wanted."""
    wanted = tiling.mpp / mpp
    if wanted < 1 - _SAME:
        raise DataError(
            f"it has {mpp:.3g} µm a pixel, which is coarser than slides.mpp ({tiling.mpp:.3g}): "
            "detail cannot be made up, so ask for a larger slides.mpp"
        )
    fine = [rank for rank, one in enumerate(slide.levels) if one.downsample <= wanted * (1 + _SAME)]
    level = fine[-1] if fine else 0
    downsample = slide.levels[level].downsample
    if abs(wanted / downsample - 1) <= _SAME:
        span = max(1, round(tiling.tile * downsample))
        return Grid(level, span, tiling.tile, tiling.tile, mpp * downsample)
    span = max(1, round(tiling.tile * wanted))
    return Grid(level, span, round(span / downsample), tiling.tile, mpp * span / tiling.tile)


def _coords(
    mask: Bool[np.ndarray, "height width"], span: int, shape: tuple[int, int], least: float
) -> Int[np.ndarray, "patch 2"]:
    """Tiles wholly inside the slide of which enough is tissue, row by row."""
    lefts, tops = (np.arange(side // span) * span for side in (shape[1], shape[0]))
    edges = [
        (np.stack([starts, starts + span]) * (small / side)).round().astype(int)
        for starts, side, small in (
            (tops, shape[0], mask.shape[0]),
            (lefts, shape[1], mask.shape[1]),
        )
    ]
    share = _shares(mask, edges[0], edges[1])
    rows, columns = np.nonzero((share >= least) & (share > 0))
    return np.stack([lefts[columns], tops[rows]], axis=1).astype(np.int64)


def _shares(
    mask: Bool[np.ndarray, "height width"],
    down: Int[np.ndarray, "2 row"],
    across: Int[np.ndarray, "2 column"],
) -> Float[np.ndarray, "row column"]:
    """The share of tissue in each cell of the grid, at least one pixel wide, by summed areas."""
    area = np.pad(mask.astype(np.int64), ((1, 0), (1, 0))).cumsum(axis=0).cumsum(axis=1)
    (top, bottom), (left, right) = down, across
    bottom, right = np.maximum(bottom, top + 1), np.maximum(right, left + 1)
    bottom, right = np.minimum(bottom, mask.shape[0]), np.minimum(right, mask.shape[1])
    top, left = np.minimum(top, bottom - 1), np.minimum(left, right - 1)
    inside = (
        area[np.ix_(bottom, right)]
        - area[np.ix_(top, right)]
        - area[np.ix_(bottom, left)]
        + area[np.ix_(top, left)]
    )
    return np.asarray(inside / np.outer(bottom - top, right - left))


def read_tiles(
    path: Path, grid: Grid, coords: Int[np.ndarray, "patch 2"]
) -> UInt8[np.ndarray, "patch height width 3"]:
    """Some tiles of a slide; for a child process, which keeps the slide open for the next ones.

    Raises:
        DataError: If the file is damaged there.
    """
    slide = _opened(path)
    tiles = np.empty((len(coords), grid.tile, grid.tile, 3), dtype=np.uint8)
    for place, (x, y) in enumerate(coords.tolist()):
        pixels = slide.read(grid.level, x, y, grid.size, grid.size)
        if grid.size != grid.tile:
            small = Image.fromarray(pixels).resize(
                (grid.tile, grid.tile), Image.Resampling.BILINEAR
            )
            pixels = np.asarray(small)
        tiles[place] = pixels
    return tiles


@lru_cache(maxsize=1)
def _opened(path: Path) -> SlideFile:
    return SlideFile.open(path)
