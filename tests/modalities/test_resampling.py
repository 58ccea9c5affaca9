from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

from sequela.modalities import resampling
from sequela.modalities.resampling import area_mean

lengths = st.integers(1, 60)


@st.composite
def tables(draw: st.DrawFn) -> np.ndarray:
    """Brightness of 256 values: windows of any place and width, upside down, padded, and others."""
    value = np.arange(256.0)
    low, width = draw(st.floats(-300, 300)), draw(st.floats(0.1, 600))
    shown = np.clip((value - low) / width, 0, 1)
    shape = draw(st.sampled_from(["window", "inverted", "padded", "sigmoid", "any"]))
    if shape == "inverted":
        shown = 1 - shown
    elif shape == "padded":
        shown[draw(st.integers(0, 255))] = 0
    elif shape == "sigmoid":
        shown = expit(4 * (value - low) / width)
    elif shape == "any":
        shown = np.random.default_rng(draw(st.integers(0, 99))).random(256)
    return shown.astype(np.float32)


def overlap(large: int, small: int) -> np.ndarray:
    """Dense weights from the definition: the share of each rectangle that each pixel covers."""
    ratio = large / small
    weights = np.zeros((small, large))
    for i in range(small):
        for j in range(large):
            weights[i, j] = max(0.0, min((i + 1) * ratio, j + 1) - max(i * ratio, j)) / ratio
    return weights


@given(lengths, lengths, lengths, lengths, tables(), st.integers(0, 2**32 - 1))
@settings(max_examples=200, deadline=None)
def test_every_pixel_is_the_mean_of_its_rectangle(
    height: int, width: int, small_height: int, small_width: int, table: np.ndarray, seed: int
) -> None:
    stored = np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint16)
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


@pytest.mark.parametrize("inverted", [False, True])
@pytest.mark.parametrize("top", [1 << 12, 1 << 16])
def test_a_window_is_averaged_without_a_look_up(
    top: int, inverted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The quick way is taken, and gives what looking up every pixel gives."""
    stored = np.random.default_rng(1).integers(0, top, (300, 200), dtype=np.uint16)
    table = np.clip((np.arange(top) - 0.9 * top) / (0.07 * top), 0, 1).astype(np.float32)
    table = 1 - table if inverted else table
    assert resampling._window(table)
    quick = area_mean(stored, table, 47, 31)
    monkeypatch.setattr(resampling, "_window", lambda _: None)
    np.testing.assert_allclose(quick, area_mean(stored, table, 47, 31), atol=1e-6)
