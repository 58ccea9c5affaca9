"""Four real mammograms: import → prepare, with a sane crop, side and view."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from sequela.importers.pictures import import_pictures
from sequela.modalities.mammogram import PixelPolicy
from sequela.modalities.preparation import prepare_images
from sequela.modalities.store import ImageStore


@pytest.fixture(scope="module")
def prepared(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    cohort = tmp_path_factory.mktemp("real")
    report = import_pictures(shared_data / "mammograms", cohort)
    assert report.counts == {"patients": 2, "exams": 2, "images": 4}
    assert not report.findings
    images = [(row["image_id"], cohort / row["path"]) for row in rows(cohort)]
    result = prepare_images(images, cohort / "prepared", PixelPolicy(size=256), workers=2)
    assert not result.failed
    assert not result.warned
    return cohort


def rows(cohort: Path) -> list[dict[str, str]]:
    with (cohort / "images.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_chest_wall_lies_where_the_side_says(prepared: Path) -> None:
    store = ImageStore.open(prepared / "prepared")
    quality = {row["image_id"]: row for row in store.quality.iter_rows(named=True)}
    for row in rows(prepared):
        left = row["side"] == "L"
        assert row["view"] == "CC"
        assert quality[row["image_id"]]["chest_wall"] == ("left" if left else "right")
        pixels = store.pixels(row["image_id"])
        near, far = (pixels[:, :64], pixels[:, -64:]) if left else (pixels[:, -64:], pixels[:, :64])
        assert near.mean() > 40
        assert far.mean() < 1


def test_the_crop_keeps_the_breast_and_drops_air(prepared: Path) -> None:
    store = ImageStore.open(prepared / "prepared")
    for row in store.quality.iter_rows(named=True):
        height, width = row["crop_bottom"] - row["crop_top"], row["crop_right"] - row["crop_left"]
        kept = height * width / (row["height"] * row["width"])
        assert 0.25 < kept < 0.6
        assert 0.15 < row["breast_share"] < kept
        assert row["greyscale"] == "white at 65,535"
        pixels = store.pixels(row["image_id"])
        assert 0.2 < float(np.mean(pixels > 8)) < 0.6
        assert pixels.max() > 220
