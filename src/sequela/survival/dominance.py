"""Counting pairs in O(n log n): how much of what came earlier in a sequence is smaller."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int


def earlier_and_smaller(
    values: Int[np.ndarray, " patient"], weight: Float[np.ndarray, " patient"] | None = None
) -> Float[np.ndarray, " patient"]:
    """For each place of a sequence, the weight of the earlier places that hold a smaller value.

    The sequence is sorted bit by bit, highest first. Two values part at the highest bit in which
    they differ; there the zeros that stand earlier in the same block are the smaller ones.

    Args:
        values: A permutation of 0 … n-1.
        weight: Of each place; None counts each as one, in half the time.

    Source: Grossi, Gupta & Vitter 2003 (wavelet trees).
    """
    count = len(values)
    ranked: np.ndarray = values.astype(np.int32 if count < 2**30 else np.int64)
    place = np.arange(count, dtype=ranked.dtype)
    smaller = np.zeros(count, dtype=ranked.dtype if weight is None else np.float64)
    for bit in reversed(range(max(count - 1, 1).bit_length())):
        block = np.left_shift(np.right_shift(ranked, bit + 1), bit + 1)
        one = np.bitwise_and(np.right_shift(ranked, bit), 1).astype(bool)
        zeros = _before(~one, block)
        gained = zeros if weight is None else _before(weight * ~one, block)
        smaller += np.where(one, gained, 0)
        ones_start = np.minimum(block + (1 << bit), count)
        there = np.where(one, ones_start + place - block - zeros, block + zeros)
        ranked, smaller = _moved(ranked, there), _moved(smaller, there)
        weight = None if weight is None else _moved(weight, there)
    # Now sorted: what belongs to a value stands at its rank.
    return smaller[values].astype(np.float64)


def _before(
    amount: Bool[np.ndarray, " patient"] | Float[np.ndarray, " patient"],
    block: Int[np.ndarray, " patient"],
) -> np.ndarray:
    """The sum of `amount` from the start of each place's block up to the place."""
    kind = block.dtype if amount.dtype == bool else np.float64
    running = np.zeros(len(amount) + 1, dtype=kind)
    np.cumsum(amount, out=running[1:])
    return running[:-1] - running[block]


def _moved(array: np.ndarray, there: Int[np.ndarray, " patient"]) -> np.ndarray:
    moved = np.empty_like(array)
    moved[there] = array
    return moved
