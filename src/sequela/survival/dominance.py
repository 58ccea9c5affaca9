"""Counting pairs in O(n log n): how much of what came earlier in a sequence is smaller."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

_LEAF = 256  # up to here all pairs of a row are compared; counts of 255 at most fit into a byte
_LIGHT_LEAF = 64  # the same with weights, where a comparison costs more
_CHUNK = 1 << 19  # places compared at once, so that they stay in the processor's cache


def earlier_and_smaller(
    values: Int[np.ndarray, " patient"], weight: Float[np.ndarray, " patient"] | None = None
) -> Float[np.ndarray, " patient"]:
    """For each place of a sequence, the weight of the earlier places that hold a smaller value.

    Places and values are cut into blocks and bins of some sqrt(n) each. What lies in an earlier
    block and in a lower bin is read off a table of counts; what shares the block, or shares the bin
    and not the block, is counted in the same way within it, down to rows so short that all their
    pairs are compared.

    Args:
        values: A permutation of 0 … n-1.
        weight: Of each place; None counts each as one, which is faster.
    """
    count = len(values)
    size = _padded(count, _LEAF if weight is None else _LIGHT_LEAF)
    row = np.arange(size, dtype=np.int32 if size < 2**31 else np.int64)
    row[:count] = values
    heavy = None if weight is None else np.append(weight, np.zeros(size - count))[None]
    return _counted(row[None], heavy)[0, :count].astype(np.float64)


def _width(size: int) -> int:
    """Of the blocks and bins of a row: the power of two nearest its root."""
    return 1 << round(np.log2(size) / 2)


def _padded(count: int, leaf: int) -> int:
    """The length to which a row must be filled up for its blocks to be whole."""
    width = _width(count) if count > leaf else 1
    return -(-count // width) * width


def _counted(
    rows: Int[np.ndarray, "row place"], weight: Float[np.ndarray, "row place"] | None
) -> np.ndarray:
    """The same for many rows, each of distinct values."""
    size = rows.shape[1]
    if size <= (_LEAF if weight is None else _LIGHT_LEAF):
        return _all_pairs(rows, weight)
    ranks, width = _ranked(rows), _width(size)
    found = _by_table(ranks, weight)
    last = None if weight is None else weight.reshape(-1, width)
    found += _counted(ranks.reshape(-1, width), last).ravel()
    order, there = _bin_by_bin(ranks)
    heavy = None if weight is None else weight.ravel()[there].reshape(-1, width)
    found[there] += _counted(order, heavy).ravel()
    return found.reshape(rows.shape)


def _bin_by_bin(
    ranks: Int[np.ndarray, "row place"],
) -> tuple[Int[np.ndarray, "bin slot"], Int[np.ndarray, " every"]]:
    """The ranks of each bin in order of their blocks, and where each stands among all places.

    Within a block the larger come first, so that none counts another.
    """
    size, width = ranks.shape[1], _width(ranks.shape[1])
    base = np.arange(len(ranks))[:, None] * size
    place = np.empty(ranks.size, dtype=ranks.dtype)
    place[(ranks + base).ravel()] = np.tile(np.arange(size, dtype=ranks.dtype), len(ranks))
    bins = place.reshape(-1, width)
    backwards = np.arange(width - 1, -1, -1, dtype=ranks.dtype)
    order = np.argsort(bins & -width | backwards, axis=1)
    there = place[order + np.arange(len(bins))[:, None] * width].reshape(len(ranks), size) + base
    return order.astype(ranks.dtype), there.ravel()


def _ranked(rows: Int[np.ndarray, "row place"]) -> Int[np.ndarray, "row place"]:
    """The rank of each value within its row."""
    if len(rows) == 1:
        return rows
    count, size = rows.shape
    order = np.argsort(rows, axis=1) + np.arange(count)[:, None] * size
    ranks = np.empty(rows.size, dtype=rows.dtype)
    ranks[order.ravel()] = np.tile(np.arange(size, dtype=rows.dtype), count)
    return ranks.reshape(rows.shape)


def _by_table(
    ranks: Int[np.ndarray, "row place"], weight: Float[np.ndarray, "row place"] | None
) -> np.ndarray:
    """What lies in an earlier block and a lower bin."""
    count, size = ranks.shape
    width = _width(size)
    blocks = size // width
    lines = np.arange(count * blocks).repeat(width) * blocks
    cells = lines + (ranks // width).ravel()
    heavy = None if weight is None else weight.ravel()
    table = np.bincount(cells, heavy, count * blocks * blocks)
    table = table.reshape(count, blocks, blocks)
    before = np.zeros_like(table)
    np.cumsum(table[:, :-1, :-1], axis=1, out=before[:, 1:, 1:])
    np.cumsum(before, axis=2, out=before)
    return before.ravel()[cells]


def _all_pairs(
    rows: Int[np.ndarray, "row place"], weight: Float[np.ndarray, "row place"] | None
) -> np.ndarray:
    """Every place of a row against every earlier one, a distance at a time."""
    size = rows.shape[1]
    found = np.empty(rows.shape, dtype=np.int64 if weight is None else np.float64)
    kind = np.int16 if rows.max() < 2**15 else rows.dtype
    step = max(1, _CHUNK // size)
    for start in range(0, len(rows), step):
        part = slice(start, start + step)
        across = np.ascontiguousarray(rows[part].T, dtype=kind)
        heavy = None if weight is None else np.ascontiguousarray(weight[part].T)
        sums = np.zeros(across.shape, dtype=np.uint8 if heavy is None else np.float64)
        for far in range(1, size):
            smaller = across[:-far] < across[far:]
            sums[far:] += smaller if heavy is None else heavy[:-far] * smaller
        found[part] = sums.T
    return found
