from __future__ import annotations

import numpy as np
import pytest

from sequela.modalities.breast import Box, find_breast

TABLE = np.linspace(0, 16, 65536, dtype=np.float32).clip(max=1)


def test_the_box_holds_the_breast_and_leaves_the_label_out(phantom: np.ndarray) -> None:
    found = find_breast(phantom, TABLE, margin=0.0)
    assert found.box is not None
    assert found.chest_wall == "left"
    assert found.box.left == 0
    assert abs(found.box.right - 130) <= 2
    assert abs(found.box.top - 40) <= 2
    assert abs(found.box.bottom - 320) <= 2
    assert found.share == pytest.approx(0.3, abs=0.02)


def test_a_mirrored_image_has_a_mirrored_box(phantom: np.ndarray) -> None:
    here = find_breast(phantom, TABLE, margin=0.02)
    there = find_breast(np.ascontiguousarray(phantom[:, ::-1]), TABLE, margin=0.02)
    assert here.box is not None
    width = phantom.shape[1]
    mirrored = Box(here.box.top, width - here.box.right, here.box.bottom, width - here.box.left)
    assert (there.box, there.chest_wall) == (mirrored, "right")


def test_the_margin_grows_the_box_up_to_the_image(phantom: np.ndarray) -> None:
    tight, wide = (find_breast(phantom, TABLE, margin) for margin in (0.0, 0.05))
    assert tight.box is not None
    assert wide.box is not None
    grown = round(0.05 * max(phantom.shape))
    assert wide.box.top == tight.box.top - grown
    assert wide.box.right == tight.box.right + grown
    assert wide.box.left == 0
    assert find_breast(phantom, TABLE, margin=0.5).box == Box(0, 0, *phantom.shape)


@pytest.mark.parametrize("noise", [0, 30, 60])
def test_air_may_be_noisy_or_bright(phantom: np.ndarray, noise: int) -> None:
    rng = np.random.default_rng(0)
    air = rng.normal(200, noise, phantom.shape).clip(0)
    found = find_breast((phantom + air).astype(np.uint16), TABLE, margin=0.0)
    assert found.box is not None
    assert abs(found.box.right - 130) <= 4
    assert abs(found.box.bottom - 320) <= 4


def test_without_a_breast_there_is_no_box() -> None:
    empty = np.zeros((200, 160), np.uint16)
    empty[5:10, 5:20] = 4000
    assert find_breast(empty, TABLE, margin=0.0).box is None
