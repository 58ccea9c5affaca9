from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sequela.audit import image_hashes
from sequela.audit.image_hashes import PreparedImages, close_rows, difference_hash, same_files


def picture(seed: int = 0) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(20, 235, (20, 20))
    return np.kron(coarse, np.ones((10, 10))).astype(np.uint8)


def test_size_brightness_and_margin_hardly_change_a_hash() -> None:
    hashed = difference_hash(picture())
    for other in (
        picture()[::2, ::2],
        (picture() * 0.7).astype(np.uint8),
        np.pad(picture(), ((30, 0), (0, 50))),
    ):
        assert (difference_hash(other) != hashed).sum() <= 18
    assert (difference_hash(picture(1)) != hashed).sum() > 60


def test_an_image_smaller_than_the_grid_has_a_hash() -> None:
    assert len(difference_hash(np.ones((3, 2), dtype=np.uint8))) == 256


def test_close_rows_are_those_of_all_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(1)
    hashes = generator.integers(0, 2, (60, 256)).astype(np.uint8)
    hashes[40] = hashes[7]
    hashes[41] = hashes[7]
    hashes[41, :18] ^= 1
    hashes[42] = hashes[7]
    hashes[42, 100:119] ^= 1
    expected = {(7, 40), (7, 41), (40, 41)}
    assert set(close_rows(hashes)) == expected
    monkeypatch.setattr(image_hashes, "_CELLS", 60 * 8)
    assert set(close_rows(hashes)) == expected


def test_blank_images_are_not_alike() -> None:
    blank = np.zeros((3, 64, 64), dtype=np.uint8)
    assert list(PreparedImages(("a", "b", "c"), (0, 1, 2), blank).near_pairs()) == []


def test_only_equal_files_are_the_same(tmp_path: Path) -> None:
    for name, content in {
        "a": b"one",
        "b": b"two",
        "c": b"one",
        "d": b"longer",
        "e": b"",
        "f": b"",
    }.items():
        (tmp_path / name).write_bytes(content)
    assert same_files({name: tmp_path / name for name in "abcdef"}) == [("a", "c")]
