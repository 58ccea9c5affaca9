from __future__ import annotations

from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from sequela.modalities.contact_sheet import write_contact_sheet
from sequela.modalities.mammogram import PixelPolicy
from sequela.modalities.preparation import prepare_images
from sequela.modalities.store import ImageStore

pytestmark = pytest.mark.usefixtures("in_process")
AMBER, RED = (255, 176, 0), (255, 92, 92)


def colours(path: Path) -> set[tuple[int, int, int]]:
    pixels = np.asarray(Image.open(path)).reshape(-1, 3)
    return {(int(r), int(g), int(b)) for r, g, b in np.unique(pixels, axis=0)}


def test_failed_and_warned_images_stand_out(
    folder_of_images: list[tuple[str, Path]], tmp_path: Path
) -> None:
    empty = np.zeros((100, 80), np.uint16)
    empty[:3, :3] = 9
    faint = tmp_path / "faint.png"
    faint.write_bytes(imagecodecs.png_encode(empty))
    images = [*folder_of_images[:3], folder_of_images[-1], ("i7", faint)]
    prepare_images(images, tmp_path / "a", PixelPolicy(size=64), workers=1)
    store = ImageStore.open(tmp_path / "a")
    labels = {image_id: "L CC" for image_id, _ in images}
    write_contact_sheet(store, labels, tmp_path / "sheet.png")
    assert {AMBER, RED} <= colours(tmp_path / "sheet.png")
    write_contact_sheet(store, labels, tmp_path / "odd.png", most=2)
    assert {AMBER, RED} <= colours(tmp_path / "odd.png")
    prepare_images(images[:3], tmp_path / "b", PixelPolicy(size=64), workers=1)
    write_contact_sheet(ImageStore.open(tmp_path / "b"), labels, tmp_path / "fine.png")
    assert not {AMBER, RED} & colours(tmp_path / "fine.png")


def test_a_large_store_still_fits_on_a_page(
    folder_of_images: list[tuple[str, Path]], tmp_path: Path
) -> None:
    prepare_images(folder_of_images[:6], tmp_path / "a", PixelPolicy(size=16), workers=1)
    store = ImageStore.open(tmp_path / "a")
    write_contact_sheet(store, {}, tmp_path / "a.png", most=4)
    write_contact_sheet(store, {}, tmp_path / "b.png", most=96)
    small, large = (Image.open(tmp_path / name).size for name in ("a.png", "b.png"))
    assert small[0] < large[0]


def test_the_sheet_shows_no_id(folder_of_images: list[tuple[str, Path]], tmp_path: Path) -> None:
    drawn = []
    for name in ("a", "4711-secret-"):
        images = [(f"{name}{i}", path) for i, (_, path) in enumerate(folder_of_images[:3])]
        prepare_images(images, tmp_path / name, PixelPolicy(size=16), workers=1)
        labels = {image_id: "L CC" for image_id, _ in images}
        write_contact_sheet(ImageStore.open(tmp_path / name), labels, tmp_path / f"{name}.png")
        drawn.append((tmp_path / f"{name}.png").read_bytes())
    assert drawn[0] == drawn[1]
