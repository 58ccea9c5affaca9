"""Where the patches of a bag lie: maps on the grid of tiles, and the tiles themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from sequela.modalities.slide_bags import BagSource, SlideBags
from sequela.modalities.tiling import Grid, read_tiles
from sequela.storage import atomic
from sequela.workers import Failure, Limits, each

_LIMITS = Limits(memory=8 << 30, seconds=120.0)
_THUMBNAIL = 112  # pixels
_LONGEST, _LARGEST_CELL = 480, 24  # pixels of a map, and of a tile on it
_EVEN, _MOST = np.array([128.0, 128.0, 128.0, 56.0]), np.array([214.0, 94.0, 16.0, 255.0])
_CLEARLY = 4.0  # times an even share
_GRID = ("level", "span", "size", "tile", "mpp")


@dataclass(frozen=True)
class PlacedSlide:
    """The patches of one slide of a bag.

    Attributes:
        slide_id: Names the slide.
        patches: How many.
        coords: Left and upper edge of each, None where the file does not say.
        made: How they were made, as far as the file says.
        picture: The slide with tissue and tiles drawn on it, where we have cut it.
    """

    slide_id: str
    patches: int
    coords: Float[np.ndarray, "patch 2"] | None
    made: Mapping[str, Any] = field(default_factory=dict)
    picture: Path | None = None

    @property
    def grid(self) -> Grid | None:
        """How its tiles are read; None for features that others made."""
        if self.coords is None or not all(name in self.made for name in _GRID):
            return None
        return Grid(**{name: self.made[name] for name in _GRID})

    @property
    def span(self) -> float:
        """The edge of a tile in the units of the coords: as told, or the least step between two."""
        told = self.made.get("span")
        if told or self.coords is None:
            return float(told or 1)
        steps = np.concatenate([np.diff(np.unique(axis)) for axis in self.coords.T])
        return float(steps.min()) if len(steps) else 1.0


def placed_slides(bags: BagSource | None, patient_id: str) -> tuple[PlacedSlide, ...]:
    """The slides of a patient's bag in its order; none where the bag does not say."""
    if not isinstance(bags, SlideBags):
        return ()
    files = dict(zip(bags.names.get(patient_id, ()), bags.files.get(patient_id, ()), strict=False))
    pictures = {name: file.with_suffix(".png") for name, file in files.items()}
    return tuple(
        PlacedSlide(
            name,
            len(slide.features),
            None if slide.coords is None else slide.coords.astype(np.float64),
            slide.made,
            picture if (picture := pictures.get(name)) and picture.is_file() else None,
        )
        for name, slide in bags.slides(patient_id).items()
    )


def write_slide(path: Path, slide: PlacedSlide) -> bool:
    """Write the picture of a slide with its tissue and tiles, small; False where there is none."""
    if slide.picture is None:
        return False
    with Image.open(slide.picture) as picture:
        shown = picture.convert("RGB")
    shown.thumbnail((_LONGEST, _LONGEST))
    _save(path, shown)
    return True


def draw_map(
    slides: Sequence[PlacedSlide], weights: Float[np.ndarray, " patch"]
) -> UInt8[np.ndarray, "height width 4"] | None:
    """Weights on the grid of tiles, slides side by side: grey, and orange where most is looked at.

    Where no tile was cut, for there is no tissue, it is clear.

    Args:
        slides: Where the patches lie.
        weights: Of all of them; the largest is full orange, if it is four times an even share.

    Returns:
        None where a slide's file does not say where its patches lie.
    """
    drawn, start = [], 0
    # An even map would else be orange all over.
    full = max(float(weights.max(initial=0.0)), _CLEARLY / max(1, len(weights)))
    for slide in slides:
        if slide.coords is None:
            return None
        ours = weights[start : start + slide.patches] / full
        drawn.append(_on_grid(slide.coords, slide.span, ours))
        start += slide.patches
    if not drawn:
        return None
    height = max(len(one) for one in drawn)
    spaced = [np.pad(one, ((0, height - len(one)), (0, 1), (0, 0))) for one in drawn]
    return np.concatenate(spaced, axis=1)[:, :-1]


def _on_grid(
    coords: Float[np.ndarray, "patch 2"], span: float, level: Float[np.ndarray, " patch"]
) -> UInt8[np.ndarray, "row column 4"]:
    across, down = np.floor((coords - coords.min(axis=0)) / span + 0.01).astype(np.int64).T
    cells = np.zeros((down.max() + 1, across.max() + 1, 4))
    # Where tiles overlap, the strongest is seen.
    order = np.argsort(level)
    colours = _EVEN + (_MOST - _EVEN) * level[:, None]
    cells[down[order], across[order]] = colours[order]
    return np.rint(cells).astype(np.uint8)


def write_map(path: Path, cells: UInt8[np.ndarray, "height width 4"]) -> None:
    """Write a drawn map as a PNG with sharp tiles, at most 480 pixels wide and high."""
    picture = Image.fromarray(cells, "RGBA")
    scale = min(_LARGEST_CELL, _LONGEST / max(picture.size))
    size = [max(1, round(side * max(scale, 1 / 8))) for side in picture.size]
    sharp = Image.Resampling.NEAREST if scale >= 1 else Image.Resampling.BOX
    _save(path, picture.resize((size[0], size[1]), sharp))


def write_tiles(
    slides: Sequence[PlacedSlide],
    pictures: Mapping[str, Path],
    wanted: Mapping[int, Path],
) -> set[int]:
    """Write tiles of slides that are at hand, read in child processes, as small PNG files.

    Args:
        slides: Where the patches lie.
        pictures: The file of each slide that is at hand.
        wanted: Which patches of the bag, and where to.

    Returns:
        Those that could be written; a slide that cannot be read gives none.
    """
    owners, tasks = [], []
    start = 0
    for slide in slides:
        ours = [place for place in wanted if start <= place < start + slide.patches]
        if ours and slide.grid is not None and slide.coords is not None:
            picture = pictures.get(slide.slide_id)
            if picture is not None and picture.exists():
                coords = slide.coords[[place - start for place in ours]].astype(np.int64)
                owners.append(ours)
                tasks.append((picture, slide.grid, coords))
        start += slide.patches
    written: set[int] = set()
    for done in each(read_tiles, tasks, workers=1, limits=_LIMITS) if tasks else ():
        if not isinstance(done.value, Failure):
            for place, tile in zip(owners[done.index], done.value, strict=True):
                _save_tile(wanted[place], tile)
                written.add(place)
    return written


def _save_tile(path: Path, tile: UInt8[np.ndarray, "height width 3"]) -> None:
    picture = Image.fromarray(tile)
    picture.thumbnail((_THUMBNAIL, _THUMBNAIL))
    _save(path, picture)


def _save(path: Path, picture: Image.Image) -> None:
    with atomic(path) as temporary:
        picture.save(temporary, "PNG", optimize=True)
