from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from torch import nn

from sequela.interpretation.pointing import (
    Lesion,
    chance,
    lesions_in_prepared,
    points_at,
    shuffle_weights,
)
from sequela.modalities.mammogram import PixelPolicy, prepare_image

SPOT = (260, 90, 12.0)


def stored(side: str) -> np.ndarray:
    """A breast at one edge of a 600 x 400 image, with one spot much brighter than it."""
    rows, columns = np.indices((600, 400))
    breast = (rows - 300) ** 2 / 240**2 + columns**2 / 220**2 < 1
    spot = np.hypot(rows - SPOT[0], columns - SPOT[1]) <= SPOT[2]
    pixels = (breast * 12000 + spot * 50000).astype(np.uint16)
    return pixels if side == "left" else np.ascontiguousarray(pixels[:, ::-1])


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize(
    "policy",
    [
        PixelPolicy(size=128),
        PixelPolicy(size=128, padding="even"),
        PixelPolicy(size=128, orientation="chest-wall-left"),
        PixelPolicy(size=128, crop=False),
        PixelPolicy(size=128, profile="paper"),
    ],
    ids=["default", "even", "mirrored", "whole", "paper"],
)
def test_a_lesion_is_found_where_the_policy_has_moved_it(
    tmp_path: Path, policy: PixelPolicy, side: str
) -> None:
    image = stored(side)
    np.save(tmp_path / "image.npy", image)
    pixels, quality = prepare_image(tmp_path / "image.npy", policy)
    fields = asdict(quality)
    crop = {f"crop_{name}": value for name, value in fields.pop("crop").items()}
    row = {"image_id": "one", "failed": "", "row": 0, "chest_wall": quality.chest_wall, **crop}
    column = SPOT[1] if side == "left" else 399 - SPOT[1]
    truth = pl.DataFrame(
        {"image_id": ["one"], "present": [True], "row": [float(SPOT[0])]}
        | {"column": [float(column)], "radius": [SPOT[2]]}
    )
    lesion = lesions_in_prepared(truth, pl.DataFrame([row]), policy)["one"]
    bright = np.argwhere(pixels > 180)
    centre, area = bright.mean(axis=0), len(bright)
    assert np.hypot(*(centre - [lesion.row, lesion.column])) < 0.75
    assert np.sqrt(area / np.pi) == pytest.approx(lesion.radius, rel=0.2)


def test_only_lesions_that_are_there_and_prepared() -> None:
    truth = pl.DataFrame(
        {"image_id": ["a", "b"], "present": [False, True], "row": [None, 1.0]}
        | {"column": [None, 1.0], "radius": [None, 1.0]}
    )
    quality = pl.DataFrame({"image_id": ["a", "b"], "failed": ["", "is missing"], "row": [0, 1]})
    assert lesions_in_prepared(truth, quality, PixelPolicy()) == {}


def test_a_peak_on_the_lesion_is_a_hit() -> None:
    strength = np.zeros((8, 8), dtype=np.float32)
    strength[2, 5] = 1
    on = Lesion(row=2.5 * 16, column=5.5 * 16, radius=3.0)
    assert points_at(strength, on, 128)
    assert points_at(strength, Lesion(on.row + 10, on.column, 3.0), 128)
    assert not points_at(strength, Lesion(on.row + 12, on.column, 3.0), 128)
    assert not points_at(strength.T, on, 128)


def test_a_map_of_nothing_points_at_nothing() -> None:
    assert not points_at(np.zeros((8, 8), dtype=np.float32), Lesion(8.0, 8.0, 500.0), 128)


def test_chance_is_the_share_of_the_breast() -> None:
    pixels = np.zeros((100, 100), dtype=np.uint8)
    pixels[:, :50] = 100
    half = Lesion(row=50.0, column=49.5, radius=20.0)
    assert chance(pixels, half, cell=0.0) == pytest.approx(np.pi * 20**2 / 2 / 5000, rel=0.02)
    assert chance(pixels, Lesion(50.0, 90.0, 5.0), cell=0.0) == 0


def test_shuffled_weights_are_the_same_numbers_elsewhere() -> None:
    torch.manual_seed(0)
    model = nn.Linear(20, 20)
    before = model.weight.detach().clone()
    shuffle_weights(model, 1)
    assert not torch.equal(model.weight, before)
    torch.testing.assert_close(model.weight.flatten().sort()[0], before.flatten().sort()[0])
