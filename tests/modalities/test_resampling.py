from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sequela.modalities.resampling import area_mean

lengths = st.integers(1, 60)


def overlap(large: int, small: int) -> np.ndarray:
    """Dense weights from the definition: the share of each rectangle that each pixel covers."""
    ratio = large / small
    weights = np.zeros((small, large))
    for i in range(small):
        for j in range(large):
            weights[i, j] = max(0.0, min((i + 1) * ratio, j + 1) - max(i * ratio, j)) / ratio
    return weights


@given(lengths, lengths, lengths, lengths, st.integers(0, 2**32 - 1))
@settings(max_examples=80, deadline=None)
def test_every_pixel_is_the_mean_of_its_rectangle(
    height: int, width: int, small_height: int, small_width: int, seed: int
) -> None:
    stored = np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint16)
    table = np.linspace(0, 1, 256, dtype=np.float32)
    expected = (
        overlap(height, small_height)
        @ table[stored].astype(np.float64)
        @ overlap(width, small_width).T
    )
    actual = area_mean(stored, table, small_height, small_width)
    np.testing.assert_allclose(actual, expected, atol=2e-6)


@given(lengths, lengths, lengths, lengths)
@settings(max_examples=40, deadline=None)
def test_brightness_is_conserved(height: int, width: int, rows: int, columns: int) -> None:
    stored = np.random.default_rng(0).integers(0, 256, (height, width), dtype=np.uint16)
    table = np.linspace(0, 1, 256, dtype=np.float32)
    small = area_mean(stored, table, rows, columns)
    np.testing.assert_allclose(small.mean(), table[stored].mean(), atol=1e-5)
