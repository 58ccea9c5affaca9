"""Exact area means: every pixel of the small image is the mean of its rectangle in the large."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt
from scipy.sparse import csr_array

_ROWS_AT_ONCE = 32  # output rows; their input stays in the processor's cache
_SAME = 1e-6  # difference of brightness that only rounding makes


def area_mean(
    stored: UInt[np.ndarray, "height width"],
    table: Float[np.ndarray, " value"],
    height: int,
    width: int,
) -> Float[np.ndarray, "small_height small_width"]:
    """The brightness `table[stored]` averaged over a grid of `height` × `width` rectangles.

    A pixel that lies in two rectangles counts in each by the share that lies there. The
    brightness is found strip by strip, so that it never exists at full size. Where the table is
    a window, values are clipped to it and only their means are scaled: the same number without
    a look-up for every pixel.
    """
    down, across = _shares(stored.shape[0], height), _shares(stored.shape[1], width)
    window = _window(table[: int(stored.max()) + 1])
    out = np.empty((height, width), np.float32)
    for top in range(0, height, _ROWS_AT_ONCE):
        rows = down[top : top + _ROWS_AT_ONCE]
        first, last = int(rows.indices.min()), int(rows.indices.max()) + 1
        part = stored[first:last]
        strip = rows[:, first:last] @ (window.clipped(part) if window else table[part])
        out[top : top + len(strip)] = (across @ strip.T).T
    return window.shown(out) if window else out


@dataclass(frozen=True)
class _Window:
    """A ramp: `dark` up to the value `low`, `bright` from `low + width` on."""

    low: np.float32
    width: np.float32
    dark: np.float32
    bright: np.float32

    def clipped(self, part: UInt[np.ndarray, "height width"]) -> Float[np.ndarray, "height width"]:
        """How far into the window every value lies, 0 to `width`."""
        values = part.astype(np.float32)
        values -= self.low
        return np.clip(values, np.float32(0), self.width, out=values)

    def shown(self, means: Float[np.ndarray, "height width"]) -> Float[np.ndarray, "height width"]:
        """The brightness of means of what `clipped` gave."""
        return self.dark + (self.bright - self.dark) / self.width * means


def _window(table: Float[np.ndarray, " value"]) -> _Window | None:
    """The ramp that a table is; None if it has another shape."""
    change = np.diff(table)
    steps = np.flatnonzero(change)
    if len(steps) < 3 or change.min() < 0 < change.max():
        return None
    first, last = int(steps[0]) + 1, int(steps[-1])  # on the ramp, and at neither of its ends
    dark, start, end, bright = (float(table[value]) for value in (0, first, last, -1))
    slope = (end - start) / (last - first)
    low, high = first - (start - dark) / slope, last + (bright - end) / slope
    window = _Window(*map(np.float32, (low, high - low, dark, bright)))
    ramp = window.shown(window.clipped(np.arange(len(table), dtype=np.uint16)[None]))
    return window if np.abs(ramp - table).max() < _SAME else None


@functools.lru_cache(maxsize=64)
def _shares(large: int, small: int) -> csr_array:
    """Row i holds the weights of the large axis' pixels in the small axis' pixel i."""
    edges = np.arange(small + 1) * (large / small)
    first = np.floor(edges[:-1]).astype(int)
    last = np.maximum(np.ceil(edges[1:] - 1e-9).astype(int), first + 1).clip(max=large)
    counts = last - first
    row = np.repeat(np.arange(small), counts)
    column = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts) + first[row]
    share = np.minimum(column + 1, edges[row + 1]) - np.maximum(column, edges[row])
    weights = (share * small / large).astype(np.float32)
    return csr_array((weights, (row, column)), shape=(small, large))
