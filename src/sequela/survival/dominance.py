"""Counting pairs in O(n log n): how much of what came earlier in a sequence is smaller."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int


def earlier_and_smaller(
    values: Int[np.ndarray, " patient"], weight: Float[np.ndarray, " patient"]
) -> Float[np.ndarray, " patient"]:
    """For each place of a sequence, the weight of the earlier places that hold a smaller value.

    The sequence is sorted bit by bit, highest first. Two values part at the highest bit in which
    they differ; there the zeros that stand earlier in the same block are the smaller ones.

    Args:
        values: A permutation of 0 … n-1.
        weight: Of each place.

    Source: Grossi, Gupta & Vitter 2003 (wavelet trees).
    """
    count = len(values)
    smaller = np.zeros(count)
    place = np.arange(count)
    home = np.arange(count)
    for bit in reversed(range(max(count - 1, 1).bit_length())):
        block = values >> (bit + 1) << (bit + 1)
        zero = (values >> bit & 1) == 0
        weights_before = np.append(0.0, np.cumsum(weight * zero))
        zeros_before = np.append(0, np.cumsum(zero))
        gained = weights_before[place] - weights_before[block]
        smaller[home] += np.where(zero, 0.0, gained)
        zeros = zeros_before[place] - zeros_before[block]
        ones_start = np.minimum(block + (1 << bit), count)
        there = np.where(zero, block + zeros, ones_start + place - block - zeros)
        values, weight, home = (_moved(array, there) for array in (values, weight, home))
    return smaller


def _moved(array: np.ndarray, there: Int[np.ndarray, " patient"]) -> np.ndarray:
    moved = np.empty_like(array)
    moved[there] = array
    return moved
