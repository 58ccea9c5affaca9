"""Tiles of a slide per second, against the usual loop over OpenSlide's `read_region`.

    python benchmarks/slides.py [SLIDE ...]

The usual loop: `np.asarray(slide.read_region(…).convert("RGB"))` a tile, and Pillow's `resize`
where the resolution asked for lies between two levels. Both ways run in turn in one process on one
thread, with a file that was just opened (the time of which is printed apart, for both need it);
figures are medians over the rounds. Without a slide a synthetic one of plain JPEG tiles is made
(256 pixels, quality 80). `same` is the share of equal pixels.

Below it the tissue mask: from the smallest level, against reading the largest one.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

import numpy as np
import openslide
import tifffile
from PIL import Image
from scipy import ndimage

from sequela.modalities import tiling
from sequela.modalities.slide_file import SlideFile
from sequela.modalities.tiling import Grid, Tiling, read_tiles, tile_slide
from sequela.modalities.tissue import overview, tissue_mask

SIDE, MOST = 6144, 400


def synthetic(path: Path) -> Path:
    """Half glass, half tissue of smooth colours with noise, four levels."""
    generator = np.random.default_rng(0)
    texture = ndimage.zoom(generator.normal(size=(SIDE // 48, SIDE // 48, 3)), (48, 48, 1), order=1)
    down, across = np.ogrid[:SIDE, :SIDE]
    tissue = (down - SIDE / 2) ** 2 + (across - SIDE / 2) ** 2 < (0.45 * SIDE) ** 2
    stain = np.array([200, 120, 170]) + 25 * texture + generator.normal(0, 10, texture.shape)
    picture = np.where(tissue[..., None], stain, 243).clip(0, 255).astype(np.uint8)
    with tifffile.TiffWriter(path) as file:
        for level in range(4):
            file.write(
                picture[:: 2**level, :: 2**level],
                photometric="rgb",
                tile=(256, 256),
                compression="jpeg",
                compressionargs={"level": 80},
                subfiletype=int(level > 0),
                resolution=(2e4, 2e4),
                resolutionunit="CENTIMETER",
            )
    return path


Way = Callable[[], tuple[np.ndarray, float]]


def usual(path: Path, grid: Grid, coords: np.ndarray) -> tuple[np.ndarray, float]:
    """The tiles, and the seconds that they took."""
    tiles = np.empty((len(coords), grid.tile, grid.tile, 3), dtype=np.uint8)
    with openslide.OpenSlide(path) as slide:
        began = time.perf_counter()
        for place, corner in enumerate(coords.tolist()):
            region = slide.read_region(tuple(corner), grid.level, (grid.size,) * 2).convert("RGB")
            if grid.size != grid.tile:
                region = region.resize((grid.tile, grid.tile), Image.Resampling.BILINEAR)
            tiles[place] = np.asarray(region)
        return tiles, time.perf_counter() - began


def ours(path: Path, grid: Grid, coords: np.ndarray) -> tuple[np.ndarray, float]:
    """The same, by Sequela."""
    tiling._opened.cache_clear()
    tiling._opened(path)
    began = time.perf_counter()
    tiles = read_tiles(path, grid, coords)
    return tiles, time.perf_counter() - began


def in_turn(first: Way, second: Way, rounds: int) -> tuple[float, float, float]:
    """Median seconds of each, run in turn, and the share of equal values."""
    pairs = [(first(), second()) for _ in range(rounds)]
    same = (pairs[0][0][0] == pairs[0][1][0]).mean()
    slow, fast = (statistics.median(pair[way][1] for pair in pairs) for way in (0, 1))
    return slow, fast, float(same)


def opening(path: Path, rounds: int) -> float:
    began = time.perf_counter()
    for _ in range(rounds):
        SlideFile.open(path)
    return (time.perf_counter() - began) / rounds


def measure(path: Path, rounds: int) -> None:
    slide = SlideFile.open(path)
    mpp, own = slide.mpp or 0.5, 256
    with tifffile.TiffFile(path) as file:
        own = file.pages[0].tilewidth if file.pages[0].is_tiled else own
    asked = {
        f"aligned, {own} pixels": Tiling(mpp=mpp, tile=own, assumed_mpp=mpp),
        "224 pixels, as scanned": Tiling(mpp=mpp, tile=224, assumed_mpp=mpp),
        "224 pixels, 1.7 × coarser": Tiling(mpp=1.7 * mpp, tile=224, assumed_mpp=mpp),
    }
    print(
        f"{path.name}: plain levels {sorted(slide.plain)} of {len(slide.levels)}; "
        f"opened in {opening(path, rounds) * 1e3:.1f} ms"
    )
    for name, one in asked.items():
        tiled, _ = tile_slide(path, one)
        coords = tiled.coords[:MOST]
        slow, fast, same = in_turn(
            lambda g=tiled.grid, c=coords: usual(path, g, c),
            lambda g=tiled.grid, c=coords: ours(path, g, c),
            rounds,
        )
        print(
            f"  {name:26} {len(coords):4} tiles  read_region {len(coords) / slow:6.0f}/s  "
            f"ours {len(coords) / fast:6.0f}/s  ratio {slow / fast:5.2f}  same {same:.6f}"
        )
    measure_mask(path, rounds)


def measure_mask(path: Path, rounds: int) -> None:
    def largest() -> tuple[np.ndarray, float]:
        began = time.perf_counter()
        with openslide.OpenSlide(path) as slide:
            picture = slide.read_region((0, 0), 0, slide.dimensions).convert("RGB")
        picture.thumbnail((2048, 2048))
        return tissue_mask(np.asarray(picture)), time.perf_counter() - began

    def smallest() -> tuple[np.ndarray, float]:
        began = time.perf_counter()
        mask = tissue_mask(overview(SlideFile.open(path)))
        return mask, time.perf_counter() - began

    pairs = [(largest(), smallest()) for _ in range(rounds)]
    slow, fast = (statistics.median(pair[way][1] for pair in pairs) for way in (0, 1))
    tissue = [pairs[0][way][0].mean() for way in (0, 1)]
    print(
        f"  mask: largest level {slow:.2f} s, smallest {fast:.2f} s, ratio {slow / fast:.1f}; "
        f"tissue {tissue[0]:.3f} and {tissue[1]:.3f}"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("slides", nargs="*", type=Path)
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for path in arguments.slides or [synthetic(Path(folder) / "synthetic.tiff")]:
            measure(path, arguments.rounds)
