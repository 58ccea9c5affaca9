"""Where on a slide there is tissue: stained pixels of a small picture of it."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8
from scipy import ndimage

from sequela.modalities.slide_file import SlideFile

OVERVIEW = 2048
"""Longest side of the small picture, in pixels."""

_BLOCK = 4096
_LEAST, _MOST = 8.0, 24.0  # of chroma, 0 to 255: glass and paper have less, stain has more
_BLACK = 24


def overview(slide: SlideFile, longest: int = OVERVIEW) -> UInt8[np.ndarray, "height width 3"]:
    """A small picture of the whole slide, from its smallest level, read part by part."""
    rank = len(slide.levels) - 1
    level = slide.levels[rank]
    shrink = max(1, -(-max(level.width, level.height) // longest))
    step = _BLOCK // shrink * shrink
    rows = []
    for top in range(0, level.height - level.height % shrink or 1, step):
        row = []
        for left in range(0, level.width - level.width % shrink or 1, step):
            width = min(step, level.width - left)
            height = min(step, level.height - top)
            place = round(left * level.downsample), round(top * level.downsample)
            row.append(_shrunk(slide.read(rank, *place, width, height), shrink))
        rows.append(np.concatenate(row, axis=1))
    return np.concatenate(rows)


def _shrunk(
    pixels: UInt8[np.ndarray, "height width 3"], shrink: int
) -> UInt8[np.ndarray, "small_height small_width 3"]:
    if shrink == 1:
        return pixels
    height, width = (side // shrink for side in pixels.shape[:2])
    cut = pixels[: height * shrink, : width * shrink].astype(np.float32)
    blocks = cut.reshape(height, shrink, width, shrink, 3).mean(axis=(1, 3))
    small: UInt8[np.ndarray, "small_height small_width 3"] = np.rint(blocks).astype(np.uint8)
    return small


def tissue_mask(picture: UInt8[np.ndarray, "height width 3"]) -> Bool[np.ndarray, "height width"]:
    """True where there is tissue: more chroma than glass has, by Otsu's threshold within bounds.

    The bounds keep a slide full of tissue from being split into pale and dark tissue, and a slide
    of nothing but glass from having any.
    """
    darkest, brightest = picture.min(axis=2), picture.max(axis=2)
    chroma = ndimage.median_filter(brightest - darkest, size=3)
    threshold = np.clip(otsu(np.bincount(chroma.ravel(), minlength=256)), _LEAST, _MOST)
    stained = (chroma > threshold) & (brightest > _BLACK)
    closed: Bool[np.ndarray, "height width"] = ndimage.binary_closing(
        np.pad(stained, 2, mode="edge"), iterations=2
    )[2:-2, 2:-2]
    return closed


def otsu(counts: Int[np.ndarray, " value"]) -> float:
    """The value that parts a histogram into the two most different halves (Otsu, 1979)."""
    values = np.arange(len(counts))
    below = np.cumsum(counts)
    above = below[-1] - below
    total = np.cumsum(counts * values)
    with np.errstate(divide="ignore", invalid="ignore"):
        apart = total / below - (total[-1] - total) / above
        between: Float[np.ndarray, " value"] = below * above * apart.astype(float) ** 2
    return float(np.nanargmax(between)) if np.isfinite(between).any() else 0.0
