"""How much of where a map is bright is the simulated lesion: intersection over union."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, UInt8
from PIL import Image

from sequela.interpretation.pointing import Lesion, require_breast


def overlap(strength: Float[np.ndarray, "row column"], lesion: Lesion, size: int) -> float:
    """IoU of the lesion with the map's brightest pixels, as many as the lesion has.

    So many are taken that a map can reach 1, and that neither its scale nor a chosen threshold
    matters; the map is stretched over the image as on the page. Where a map is 0 it is not bright.

    Args:
        strength: The map.
        lesion: In pixels of the prepared image.
        size: Height and width of the prepared image.
    """
    mask = disc(lesion, size)
    map_ = Image.fromarray(strength.astype(np.float32))
    level = np.asarray(map_.resize((size, size), Image.Resampling.BICUBIC)).ravel()
    brightest = np.argsort(-level, kind="stable")[: int(mask.sum())]
    bright = np.zeros(size * size, dtype=bool)
    bright[brightest[level[brightest] > 0]] = True
    both = (bright & mask.ravel()).sum()
    return float(both / max((bright | mask.ravel()).sum(), 1))


def disc(lesion: Lesion, size: int) -> Bool[np.ndarray, "height width"]:
    """The lesion's pixels; at least the one in which its centre lies, if that is in the image."""
    rows, columns = np.indices((size, size))
    distance = np.hypot(rows - lesion.row, columns - lesion.column)
    mask: np.ndarray = distance <= max(lesion.radius, np.sqrt(0.5))
    return mask


def expected_overlap(pixels: UInt8[np.ndarray, "height width"], lesion: Lesion) -> float:
    """The IoU to expect of a disc of the lesion's size at a random point of the breast.

    Two discs of radius r, d apart, share 2 r² acos(d / 2r) - d / 2 · sqrt(4 r² - d²).

    Args:
        pixels: The prepared image.
        lesion: In its pixels.

    Raises:
        UndefinedMetricError: If the image shows no breast.
    """
    rows, columns = np.nonzero(require_breast(pixels))
    radius = max(lesion.radius, np.sqrt(0.5))
    apart = np.minimum(np.hypot(rows - lesion.row, columns - lesion.column), 2 * radius)
    both = 2 * radius**2 * np.arccos(apart / (2 * radius))
    both -= apart / 2 * np.sqrt((2 * radius - apart) * (2 * radius + apart))
    return float((both / (2 * np.pi * radius**2 - both)).mean())
