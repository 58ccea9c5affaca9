"""The pointing game: does a map peak where the simulated lesion is (Zhang et al. 2018)?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor, nn

from sequela.errors import UndefinedMetricError
from sequela.modalities.mammogram import PixelPolicy

_TISSUE = 5  # grey values of 255 above which a prepared pixel is breast


@dataclass(frozen=True)
class Lesion:
    """A lesion in a prepared image, in its pixels."""

    row: float
    column: float
    radius: float


def lesions_in_prepared(
    truth: pl.DataFrame, quality: pl.DataFrame, policy: PixelPolicy
) -> dict[str, Lesion]:
    """Where the pixel policy has moved each lesion, by image id.

    Args:
        truth: `truth/lesions.parquet`: where lesions are in the stored images.
        quality: `prepared/images.parquet`: how each was cropped.
        policy: How they were prepared.
    """
    present = truth.filter(pl.col("present")).select("image_id", "row", "column", "radius")
    drawn = quality.filter(pl.col("failed") == "").drop("row")
    rows = present.join(drawn, on="image_id").iter_rows(named=True)
    return {row["image_id"]: _moved(row, policy) for row in rows}


def _moved(place: Mapping[str, Any], policy: PixelPolicy) -> Lesion:
    """Crop, scale, padding and mirroring, as `modalities.mammogram` does them."""
    top, left = place["crop_top"], place["crop_left"]
    height, width = place["crop_bottom"] - top, place["crop_right"] - left
    size = policy.size
    row, column = place["row"] - top + 0.5, place["column"] - left + 0.5
    if policy.profile == "paper":
        scales, offsets = (size / height, size / width), (0, 0)
    else:
        longer = max(height, width)
        inner = [max(1, round(length * size / longer)) for length in (height, width)]
        scales = (inner[0] / height, inner[1] / width)
        free = size - inner[1]
        at_left = place["chest_wall"] == "left"
        even = policy.padding == "even"
        offsets = ((size - inner[0]) // 2, free // 2 if even else 0 if at_left else free)
    moved = column * scales[1] + offsets[1]
    if policy.orientation == "chest-wall-left" and place["chest_wall"] == "right":
        moved = size - moved
    radius = place["radius"] * float(np.sqrt(scales[0] * scales[1]))
    return Lesion(row * scales[0] + offsets[0] - 0.5, moved - 0.5, radius)


def points_at(strength: Float[np.ndarray, "row column"], lesion: Lesion, size: int) -> bool:
    """Whether the map's peak lies on the lesion, or within half a cell of the map of it.

    A map that is 0 everywhere points at nothing.

    Args:
        strength: The map.
        lesion: In pixels of the prepared image.
        size: Height and width of the prepared image.
    """
    if not strength.any():
        return False
    row, column = np.unravel_index(int(strength.argmax()), strength.shape)
    cell = size / strength.shape[0], size / strength.shape[1]
    distance = np.hypot(
        (row + 0.5) * cell[0] - 0.5 - lesion.row, (column + 0.5) * cell[1] - 0.5 - lesion.column
    )
    return bool(distance <= lesion.radius + max(cell) / 2)


def chance(pixels: UInt8[np.ndarray, "height width"], lesion: Lesion, cell: float) -> float:
    """The chance that a random point of the breast counts as a hit.

    Args:
        pixels: The prepared image.
        lesion: In its pixels.
        cell: Side of a cell of the map, in pixels.

    Raises:
        UndefinedMetricError: If the image shows no breast.
    """
    tissue = require_breast(pixels)
    rows, columns = np.indices(pixels.shape)
    reach = lesion.radius + cell / 2
    near = np.hypot(rows - lesion.row, columns - lesion.column) <= reach
    return float((tissue & near).sum() / tissue.sum())


def require_breast(pixels: UInt8[np.ndarray, "height width"]) -> Bool[np.ndarray, "height width"]:
    """Where the image shows breast.

    Raises:
        UndefinedMetricError: If nowhere: there is then no point to be hit by chance.
    """
    tissue = breast(pixels)
    if not tissue.any():
        raise UndefinedMetricError("the image shows no breast")
    return tissue


def breast(pixels: UInt8[np.ndarray, "height width"]) -> Bool[np.ndarray, "height width"]:
    """Where a prepared image shows breast."""
    return pixels > _TISSUE


def shuffle_weights(model: nn.Module, seed: int) -> None:
    """Put the weights of each layer in random order: what is left was not learned.

    The weight-randomisation check of Adebayo et al. 2018: a map that stays the same does not
    show what the model has learned. Shuffled, weights keep their scale.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            flat: Tensor = parameter.detach().flatten()
            order = torch.randperm(len(flat), generator=generator).to(flat.device)
            parameter.copy_(flat[order].view_as(parameter))
