"""Which image files, and which prepared images, are the same or nearly so."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Float, UInt8

from sequela.errors import DataError
from sequela.storage import fingerprint

Pair = tuple[str, str]

_SIDE = 16
_NEAR = 18
"""Bits of 256 in which two versions of one image may differ; simulated strangers differ in 48."""
_FLAT = 32
"""Bits of one kind under which a picture shows nothing that could be told again."""
_CELLS = 1 << 26


def same_files(paths: Mapping[str, Path]) -> list[tuple[str, ...]]:
    """Groups of images whose files are equal byte for byte and not empty; sizes are asked first."""
    filled = [image_id for image_id, path in paths.items() if path.stat().st_size]
    sizes = _grouped(filled, lambda image_id: paths[image_id].stat().st_size)
    alike = [image_id for group in sizes for image_id in group]
    return _grouped(alike, lambda image_id: fingerprint(paths[image_id]))


@dataclass(frozen=True)
class PreparedImages:
    """The pixels that `prepare` left, read from its files.

    Attributes:
        image_ids: Of those that were prepared.
        rows: Where each stands in `pixels`.
        pixels: Memory-mapped.
    """

    image_ids: tuple[str, ...]
    rows: tuple[int, ...]
    pixels: UInt8[np.ndarray, "image height width"]

    @classmethod
    def open(cls, folder: Path) -> PreparedImages | None:
        """What is in `folder`; None where nothing was prepared, or not to the end.

        Raises:
            DataError: If the files do not belong together.
        """
        if not (folder / "prepared.json").is_file():
            return None
        quality = pl.read_parquet(folder / "images.parquet").filter(pl.col("failed") == "")
        pixels = np.load(folder / "images.npy", mmap_mode="r")
        if any(row >= len(pixels) for row in quality["row"]):
            raise DataError(
                f"images.npy in {folder.name} has fewer images than images.parquet",
                hint=f"delete {folder.name} and run `sequela prepare` again",
            )
        return cls(tuple(quality["image_id"]), tuple(quality["row"]), pixels)

    def same_pixels(self) -> list[tuple[str, ...]]:
        """Groups of images that were prepared to the same pixels."""
        places = dict(zip(self.image_ids, self.rows, strict=True))
        return _grouped(
            self.image_ids,
            lambda image_id: hashlib.sha256(self.pixels[places[image_id]].tobytes()).hexdigest(),
        )

    def near_pairs(self) -> Iterator[Pair]:
        """Pairs of images that look alike: the same one in another encoding or size."""
        hashes = [difference_hash(self.pixels[row]) for row in self.rows]
        shown = [place for place, bits in enumerate(hashes) if _shows_something(bits)]
        if not shown:
            return
        for one, other in close_rows(np.stack([hashes[place] for place in shown])):
            yield self.image_ids[shown[one]], self.image_ids[shown[other]]


def difference_hash(image: UInt8[np.ndarray, "height width"]) -> UInt8[np.ndarray, " bit"]:
    """Whether each cell of a coarse grid is brighter than its left neighbour.

    Source: Krawetz 2013 (dHash), with 16 × 16 cells. The grid covers the part that is not black, so
    that it tells breasts and not their place in the picture.
    """
    lit = np.argwhere(image > 0)
    if len(lit):
        (top, left), (bottom, right) = lit.min(axis=0), lit.max(axis=0) + 1
        image = image[top:bottom, left:right]
    grid = _means(image.astype(np.float32), _SIDE, _SIDE + 1)
    return (np.diff(grid, axis=1) > 0).ravel().astype(np.uint8)


def _shows_something(bits: UInt8[np.ndarray, " bit"]) -> bool:
    return _FLAT <= int(bits.sum()) <= len(bits) - _FLAT


def close_rows(hashes: UInt8[np.ndarray, "image bit"]) -> Iterator[tuple[int, int]]:
    """Pairs of rows that differ in few bits, the first before the second."""
    signs = hashes.astype(np.float32) * 2 - 1
    least, block = hashes.shape[1] - 2 * _NEAR, max(1, _CELLS // len(signs))
    for start in range(0, len(signs), block):
        agreement = signs[start : start + block] @ signs[start:].T
        for one, other in np.argwhere(agreement >= least):
            if one < other:
                yield start + int(one), start + int(other)


def _means(
    image: Float[np.ndarray, "height width"], rows: int, columns: int
) -> Float[np.ndarray, "row column"]:
    """Means of the cells of a grid over an image of any size."""
    for axis, count in enumerate((rows, columns)):
        edges = np.linspace(0, image.shape[axis], count + 1)
        starts = np.minimum(edges[:-1].astype(int), image.shape[axis] - 1)
        widths = np.maximum(np.diff(np.append(starts, image.shape[axis])), 1)
        sums = np.add.reduceat(image, starts, axis=axis)
        image = sums / (widths[:, None] if axis == 0 else widths)
    return image


def _grouped(image_ids: Iterable[str], key: Callable[[str], Any]) -> list[tuple[str, ...]]:
    """The ids that share a key with another."""
    groups = defaultdict(list)
    for image_id in image_ids:
        groups[key(image_id)].append(image_id)
    return [tuple(group) for group in groups.values() if len(group) > 1]
