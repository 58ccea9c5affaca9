"""Where the breast is in a mammogram, and on which side its chest wall."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, UInt
from scipy import ndimage

_COARSE = 384  # pixels of the longer axis on which the breast is sought
_LEAST_SHARE = 0.02  # a breast fills at least so much of the image
_SHADES = 128  # levels of brightness among which air is the most frequent
_OVER_AIR = 0.02  # brightness above the air's that counts as tissue

Edge = Literal["left", "right"]


@dataclass(frozen=True)
class Box:
    """A rectangle of pixels; bottom and right are exclusive."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        return self.bottom - self.top, self.right - self.left

    @property
    def slices(self) -> tuple[slice, slice]:
        """To index an array with."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def enlarged(self, factor: float, shape: tuple[int, int]) -> Box:
        """The same part of an image of `shape`, which is `factor` times as large."""
        corners = (self.top, self.left, self.bottom, self.right)
        limits = (*shape, *shape)
        edges = (min(round(edge * factor), end) for edge, end in zip(corners, limits, strict=True))
        return Box(*edges)


@dataclass(frozen=True)
class Breast:
    """The breast's bounding box, the edge its chest wall lies at, and how much of it it fills.

    Attributes:
        box: With the margin; None where no breast was found.
        chest_wall: The image edge at which there is more tissue (left, if equal).
        share: Part of the image that is breast.
    """

    box: Box | None
    chest_wall: Edge
    share: float


def find_breast(
    stored: UInt[np.ndarray, "height width"], table: Float[np.ndarray, " value"], margin: float
) -> Breast:
    """The largest connected region that is brighter than air, on a coarse grid.

    Air is the most frequent brightness of the image's darker half. Labels and markers that do
    not touch the breast are left out.

    Args:
        stored: The image as stored.
        table: Brightness of each stored value.
        margin: Part of the longer axis that is kept around the breast.
    """
    step = max(1, round(max(stored.shape) / _COARSE))
    coarse = table[stored[step // 2 :: step, step // 2 :: step]]
    tissue = _largest(_above_air(coarse))
    share = float(tissue.mean())
    if share < _LEAST_SHARE:
        return Breast(None, _fuller_edge(coarse), share)
    box = _bounds(tissue, step, round(margin * max(stored.shape)), stored.shape)
    return Breast(box, _fuller_edge(tissue), share)


def _above_air(coarse: Float[np.ndarray, "height width"]) -> Bool[np.ndarray, "height width"]:
    smooth = ndimage.uniform_filter(coarse, 3, mode="nearest")
    counts = np.bincount((smooth * _SHADES).astype(np.intp).ravel(), minlength=_SHADES)
    air = (int(counts[: _SHADES // 2].argmax()) + 1) / _SHADES
    return np.asarray(smooth > air + _OVER_AIR)


def _largest(mask: Bool[np.ndarray, "height width"]) -> Bool[np.ndarray, "height width"]:
    labels, count = ndimage.label(mask)
    if not count:
        return mask
    sizes = np.bincount(labels.ravel())[1:]
    return np.asarray(labels == sizes.argmax() + 1)


def _fuller_edge(tissue: np.ndarray) -> Edge:
    half = tissue.shape[1] // 2
    weight = np.linspace(1.0, 0.0, half, endpoint=False)
    columns = tissue.mean(axis=0, dtype=np.float64)
    return "left" if columns[:half] @ weight >= columns[::-1][:half] @ weight else "right"


def _bounds(
    tissue: Bool[np.ndarray, "height width"], step: int, margin: int, shape: tuple[int, int]
) -> Box:
    """The mask's bounding box on the full grid; a pixel of the coarse grid stands for `step`."""
    limits = []
    for axis, length in ((1, shape[0]), (0, shape[1])):
        hit = np.flatnonzero(tissue.any(axis=axis))
        low, high = int(hit[0]) * step - margin, (int(hit[-1]) + 1) * step + margin
        limits.append((max(0, low), min(length, high)))
    (top, bottom), (left, right) = limits
    return Box(top, left, bottom, right)
