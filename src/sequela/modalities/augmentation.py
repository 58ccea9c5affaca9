"""Small changes to images that leave the diagnosis as it is; training only."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int, UInt8
from pydantic import Field
from torch import Tensor

from sequela.modalities.mammogram import VIEW_KINDS
from sequela.settings import Settings

# Each kind of view to the same view of the other side.
OTHER_SIDE = torch.tensor(
    [VIEW_KINDS.index(("R" if side == "L" else "L", view)) for side, view in VIEW_KINDS]
)


class Augmentation(Settings):
    """How far images may be moved; all drawn evenly between minus and plus.

    Attributes:
        shift: Share of the image's width.
        rotation: Degrees.
        brightness: Share of the pixel value; black stays black.
        mirror: Chance that a patient's left and right change places: every image is mirrored and
            takes the other side's name. Needs images that keep the sides apart
            (images.orientation=as-stored).
    """

    shift: float = Field(default=0.03, ge=0, lt=0.5)
    rotation: float = Field(default=5.0, ge=0, le=45)
    brightness: float = Field(default=0.1, ge=0, lt=1)
    mirror: float = Field(default=0.0, ge=0, le=1)


def augmented(
    views: UInt8[Tensor, "exam view height width"],
    kind: Int[Tensor, "exam view"],
    settings: Augmentation,
    generator: np.random.Generator,
) -> tuple[UInt8[Tensor, "exam view height width"], Int[Tensor, "exam view"]]:
    """One patient's images, each moved by itself; mirrored all together or not at all."""
    if views.numel() == 0:
        return views, kind
    images = views.flatten(0, 1)
    size = [len(images), 1, *images.shape[1:]]
    grid = F.affine_grid(_maps(len(images), settings, generator), size, align_corners=False)
    moved = F.grid_sample(images[:, None].float(), grid, align_corners=False)[:, 0]
    brightness = _even(len(images), settings.brightness, generator)
    changed = moved * (1 + brightness[:, None, None])
    views = changed.round().clamp(0, 255).to(torch.uint8).reshape(views.shape)
    if generator.random() < settings.mirror:
        return views.flip(-1), OTHER_SIDE[kind]
    return views, kind


def _maps(
    count: int, settings: Augmentation, generator: np.random.Generator
) -> Float[Tensor, "image 2 3"]:
    """Rotations about the centre with shifts, as affine_grid takes them (-1..1 is the image)."""
    angle = _even(count, math.radians(settings.rotation), generator)
    across, down = (_even(count, 2 * settings.shift, generator) for _ in range(2))
    rows = [angle.cos(), -angle.sin(), across, angle.sin(), angle.cos(), down]
    return torch.stack(rows, dim=1).reshape(count, 2, 3)


def _even(count: int, most: float, generator: np.random.Generator) -> Float[Tensor, " image"]:
    return torch.from_numpy(generator.uniform(-most, most, count).astype(np.float32))
