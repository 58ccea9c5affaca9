"""Whether letters were burned into an image's pixels, which no change of its header removes."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Num

_CONTRAST = 0.35  # of the image's range, from one pixel to the next or the one after
_ROWS, _COLUMNS = 12, 64  # a window about as large as a word
_STROKES = 0.12  # share of a window's pixels at which a stroke begins or ends


def has_burned_in_text(pixels: Num[np.ndarray, "height width"]) -> bool:
    """Whether a window as large as a word is full of sharp strokes.

    Tissue and noise change by degrees; letters change from black to white and back within a few
    pixels, again and again along a line. Recall and false alarms: `benchmarks/burned_in.py`.
    """
    edges = _edges(pixels)
    if edges.shape[0] < _ROWS or edges.shape[1] < _COLUMNS:
        return False
    return bool(_window_means(edges).max() > _STROKES)


def _edges(pixels: Num[np.ndarray, "height width"]) -> Bool[np.ndarray, "height width-1"]:
    values = pixels.astype(np.float32)
    low, high = np.percentile(values[::4, ::4], [0.5, 100])
    span = max(float(high - low), 1.0)
    return np.abs(np.diff(values, axis=1)) > _CONTRAST * span


def _window_means(edges: Bool[np.ndarray, "height width"]) -> Num[np.ndarray, "rows columns"]:
    """The share of edges in every window, by sums of sums."""
    total = np.pad(edges.astype(np.int64).cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    sums = (
        total[_ROWS:, _COLUMNS:]
        - total[:-_ROWS, _COLUMNS:]
        - total[_ROWS:, :-_COLUMNS]
        + total[:-_ROWS, :-_COLUMNS]
    )
    means: np.ndarray = sums / (_ROWS * _COLUMNS)
    return means
