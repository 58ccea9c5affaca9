"""Exact area means: every pixel of the small image is the mean of its rectangle in the large."""

from __future__ import annotations

import functools

import numpy as np
from jaxtyping import Float, UInt
from scipy.sparse import csr_array

_ROWS_AT_ONCE = 16  # output rows; their input stays in the processor's cache


def area_mean(
    stored: UInt[np.ndarray, "height width"],
    table: Float[np.ndarray, " value"],
    height: int,
    width: int,
) -> Float[np.ndarray, "small_height small_width"]:
    """The brightness `table[stored]` averaged over a grid of `height` × `width` rectangles.

    A pixel that lies in two rectangles counts in each by the share that lies there. The
    brightness is looked up strip by strip, so that it never exists at full size.
    """
    down, across = _shares(stored.shape[0], height), _shares(stored.shape[1], width)
    out = np.empty((height, width), np.float32)
    for top in range(0, height, _ROWS_AT_ONCE):
        rows = down[top : top + _ROWS_AT_ONCE]
        first, last = int(rows.indices.min()), int(rows.indices.max()) + 1
        strip = rows[:, first:last] @ table[stored[first:last]]
        out[top : top + len(strip)] = (across @ strip.T).T
    return out


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
