"""Maps show each weight where its tile lies, and tiles are the slide's own pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sequela.interpretation import patch_places
from sequela.interpretation.patch_places import (
    PlacedSlide,
    draw_map,
    placed_slides,
    write_map,
    write_slide,
    write_tiles,
)
from sequela.modalities.feature_file import SlideFeatures, write_features
from sequela.modalities.slide_bags import SlideBags
from sequela.workers import Done, Failure

GRID = {"level": 0, "span": 64, "size": 64, "tile": 64, "mpp": 0.5}
COORDS = np.array([[0.0, 0.0], [128.0, 64.0], [64.0, 128.0]])


def test_each_weight_is_drawn_at_its_tile_and_nothing_elsewhere() -> None:
    drawn = draw_map([PlacedSlide("S", 3, COORDS, GRID)], np.array([0.1, 1.7, 0.2]))
    assert drawn is not None
    assert drawn.shape == (3, 3, 4)
    assert np.argwhere(drawn[..., 3]).tolist() == [[0, 0], [1, 2], [2, 1]]
    assert drawn[1, 2].tolist() == [214, 94, 16, 255]
    assert drawn[1, 2, 3] > drawn[2, 1, 3] > drawn[0, 0, 3]


def test_slides_stand_side_by_side_on_one_scale() -> None:
    two = [PlacedSlide("A", 3, COORDS, GRID), PlacedSlide("B", 1, COORDS[:1] + 640, GRID)]
    drawn = draw_map(two, np.array([1.0, 0.0, 0.0, 1.0]))
    assert drawn is not None
    assert drawn.shape == (3, 5, 4)
    assert drawn[0, 0].tolist() == drawn[0, 4].tolist() == [214, 94, 16, 255]


def test_an_even_map_is_not_bright() -> None:
    even = draw_map([PlacedSlide("S", 3, COORDS, GRID)], np.full(3, 1 / 3))
    peaked = draw_map([PlacedSlide("S", 3, COORDS, GRID)], np.array([1.4, 0.0, 0.0]))
    assert even is not None
    assert peaked is not None
    assert even[..., 3].max() < 0.5 * peaked[..., 3].max()


def test_the_edge_of_a_tile_is_the_least_step_where_nobody_says_it() -> None:
    assert PlacedSlide("S", 3, COORDS, {}).span == 64
    assert PlacedSlide("S", 3, COORDS, {"span": 32}).span == 32
    assert PlacedSlide("S", 1, COORDS[:1], {}).span == 1


def test_without_places_there_is_no_map_and_features_of_others_give_no_tiles(
    tmp_path: Path,
) -> None:
    lost = PlacedSlide("S", 3, None, GRID)
    assert draw_map([lost], np.ones(3)) is None
    assert draw_map([], np.ones(0)) is None
    picture = tmp_path / "slide.tiff"
    picture.touch()
    for slide in (lost, PlacedSlide("S", 3, COORDS, {"encoder": "theirs"})):
        assert write_tiles([slide], {"S": picture}, {0: tmp_path / "0.png"}) == set()


def test_a_map_is_written_small_and_sharp(tmp_path: Path) -> None:
    cells = np.zeros((3, 600, 4), dtype=np.uint8)
    write_map(tmp_path / "wide.png", cells)
    write_map(tmp_path / "small.png", cells[:, :3])
    with Image.open(tmp_path / "wide.png") as wide, Image.open(tmp_path / "small.png") as small:
        assert (wide.size[0], small.size) == (480, (72, 72))


def test_tiles_are_read_of_the_slides_at_hand_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def each(function, tasks, **_):
        for index, (path, grid, coords) in enumerate(tasks):
            asked.append((path.name, grid.span, coords.tolist()))
            tiles = np.full((len(coords), 64, 64, 3), 40 * (index + 1), dtype=np.uint8)
            yield Done(index, Failure("is damaged") if path.name == "c.tiff" else tiles, 0.0)

    monkeypatch.setattr(patch_places, "each", each)
    for name in "ac":
        (tmp_path / f"{name}.tiff").touch()
    slides = [PlacedSlide(name, 3, COORDS, GRID) for name in "abc"]
    pictures = {name: tmp_path / f"{name}.tiff" for name in "abc"}  # b has been moved away
    wanted = {place: tmp_path / f"{place}.png" for place in (2, 1, 4, 7)}
    assert write_tiles(slides, pictures, wanted) == {1, 2}
    assert asked == [("a.tiff", 64, [[64, 128], [128, 64]]), ("c.tiff", 64, [[128, 64]])]
    assert sorted(path.name for path in tmp_path.glob("*.png")) == ["1.png", "2.png"]


def test_places_are_those_of_the_bag(tmp_path: Path) -> None:
    files = []
    for name, count in (("a", 2), ("b", 3)):
        files.append(tmp_path / f"{name}.safetensors")
        features = np.zeros((count, 4), dtype=np.float32)
        write_features(files[-1], SlideFeatures(features, COORDS[:count].astype(np.int64), GRID))
    for policy, expected in (("concatenate", "ab"), ("largest", "b"), ("first", "a")):
        bags = SlideBags({"P": tuple(files)}, policy, names={"P": ("a", "b")})
        placed = placed_slides(bags, "P")
        assert "".join(slide.slide_id for slide in placed) == expected
        assert sum(slide.patches for slide in placed) == len(bags.bag("P"))
        assert all(slide.grid is not None for slide in placed)
    assert placed_slides(None, "P") == ()


def test_a_slide_that_we_have_cut_is_shown_small(tmp_path: Path) -> None:
    features = np.zeros((3, 4), dtype=np.float32)
    file = tmp_path / "a.safetensors"
    write_features(file, SlideFeatures(features, COORDS.astype(np.int64), GRID))
    bags = SlideBags({"P": (file,)}, names={"P": ("a",)})
    (theirs,) = placed_slides(bags, "P")
    assert not write_slide(tmp_path / "small.png", theirs)
    Image.new("RGB", (1400, 700)).save(tmp_path / "a.png")
    (ours,) = placed_slides(bags, "P")
    assert write_slide(tmp_path / "small.png", ours)
    with Image.open(tmp_path / "small.png") as small:
        assert small.size == (480, 240)
