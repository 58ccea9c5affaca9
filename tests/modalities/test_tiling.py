"""Tiles lie on a grid, inside the slide, on tissue, at the resolution asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from tiny_slides import stained, write_slide

from sequela.errors import DataError
from sequela.modalities.slide_file import SlideFile
from sequela.modalities.slide_picture import look_at_slide
from sequela.modalities.tiling import Tiling, _shares, read_tiles, tile_slide
from sequela.modalities.tissue import otsu, overview, tissue_mask

SIZES = [(0.5, 32, 0.5), (1.0, 32, 0.25), (0.8, 24, 0.5), (0.5, 50, 0.25)]


@pytest.mark.parametrize(("mpp", "tile", "slide_mpp"), SIZES)
def test_tiles_lie_on_a_grid_inside_the_slide_and_on_tissue(tmp_path, mpp, tile, slide_mpp):
    picture = stained()
    path = write_slide(tmp_path / "a.tiff", picture, mpp=slide_mpp)
    tiled, _ = tile_slide(path, Tiling(mpp=mpp, tile=tile))
    span = tiled.grid.span
    assert len(tiled.coords) > 3
    assert not (tiled.coords % span).any()
    assert (tiled.coords >= 0).all()
    assert (tiled.coords + span <= [512, 640]).all()
    assert len(np.unique(tiled.coords, axis=0)) == len(tiled.coords)
    assert tiled.grid.mpp == pytest.approx(mpp, rel=0.05)
    for x, y in tiled.coords:
        pink = picture[y : y + span, x : x + span].astype(int)
        assert (np.ptp(pink, axis=2) > 24).mean() > 0.35


@pytest.mark.parametrize(("mpp", "tile", "slide_mpp"), SIZES)
def test_tiles_show_what_lies_at_their_coordinates(tmp_path, mpp, tile, slide_mpp):
    picture = stained()
    path = write_slide(tmp_path / "a.tiff", picture, mpp=slide_mpp, compression="deflate")
    tiled, _ = tile_slide(path, Tiling(mpp=mpp, tile=tile))
    tiles = read_tiles(path, tiled.grid, tiled.coords)
    assert tiles.shape == (len(tiled.coords), tile, tile, 3)
    for (x, y), found in zip(tiled.coords, tiles, strict=True):
        there = picture[y : y + tiled.grid.span, x : x + tiled.grid.span]
        np.testing.assert_allclose(found.mean((0, 1)), there.mean((0, 1)), atol=3)


def test_the_smallest_level_that_is_fine_enough_is_read(tmp_path):
    path = write_slide(tmp_path / "a.tiff", stained(), mpp=0.25, levels=3)
    levels = [
        tile_slide(path, Tiling(mpp=mpp, tile=32))[0].grid.level for mpp in (0.25, 0.4, 0.5, 1)
    ]
    assert levels == [0, 0, 1, 2]


def test_a_resolution_that_nobody_tells_names_the_setting_that_tells_it(tmp_path):
    path = write_slide(tmp_path / "a.tiff", stained(), mpp=None)
    with pytest.raises(DataError, match=r"slides\.assumed_mpp"):
        tile_slide(path, Tiling(tile=32))
    assert tile_slide(path, Tiling(tile=32, assumed_mpp=0.5))[0].slide_mpp == 0.5
    assert tile_slide(path, Tiling(tile=32, assumed_mpp=0.5), told=0.25)[0].slide_mpp == 0.25


def test_detail_is_not_made_up(tmp_path):
    path = write_slide(tmp_path / "a.tiff", stained(), mpp=1.0)
    with pytest.raises(DataError, match=r"coarser than slides\.mpp"):
        tile_slide(path, Tiling(mpp=0.5, tile=32))


def test_a_slide_of_glass_and_one_smaller_than_a_tile_are_told(tmp_path):
    glass = write_slide(tmp_path / "a.tiff", np.full((512, 512, 3), 244, dtype=np.uint8))
    with pytest.raises(DataError, match="tissue"):
        tile_slide(glass, Tiling(tile=32))
    with pytest.raises(DataError, match="less than a tile"):
        tile_slide(glass, Tiling(tile=1024))


def test_an_overview_is_the_mean_of_what_it_shrinks(tmp_path):
    picture = stained(600, 700)
    path = write_slide(tmp_path / "a.tiff", picture, levels=1, compression=None)
    seen = overview(SlideFile.open(path), longest=100)
    blocks = picture[:595, :700].reshape(85, 7, 100, 7, 3).mean((1, 3))
    np.testing.assert_allclose(seen, blocks, atol=0.5)


def test_a_slide_full_of_tissue_is_not_split_into_pale_and_dark() -> None:
    full = np.random.default_rng(0).choice([90, 160], size=(64, 64, 1)) + np.zeros((1, 1, 3))
    full = full + np.array([90, 0, 60])
    assert tissue_mask(full.clip(0, 255).astype(np.uint8)).mean() > 0.95


@given(st.lists(st.integers(0, 30), min_size=4, max_size=40), st.integers(0, 99))
def test_otsu_finds_the_best_of_all_thresholds(counts: list[int], seed: int) -> None:
    histogram = np.array(counts)
    values = np.repeat(np.arange(len(counts)), counts)

    def within(threshold: int) -> float:
        low, high = values[values <= threshold], values[values > threshold]
        return sum(float(((half - half.mean()) ** 2).sum()) for half in (low, high) if len(half))

    if len(np.unique(values)) > 1:
        best = min(within(threshold) for threshold in range(len(counts) - 1))
        assert within(int(otsu(histogram))) == pytest.approx(best, abs=1e-9)


def test_shares_are_the_means_of_the_mask() -> None:
    mask = np.random.default_rng(1).random((40, 30)) < 0.4
    down = np.array([[0, 10, 35], [10, 20, 40]])
    across = np.array([[0, 7], [7, 30]])
    for row, column in np.ndindex(3, 2):
        part = mask[slice(*down[:, row]), slice(*across[:, column])]
        assert _shares(mask, down, across)[row, column] == pytest.approx(part.mean())


def test_the_picture_shows_tissue_and_tiles(tmp_path):
    path = write_slide(tmp_path / "a.tiff", stained())
    tiled, checksum = look_at_slide(path, Tiling(tile=32), None, tmp_path / "a.png")
    picture = np.asarray(Image.open(tmp_path / "a.png"))
    assert len(checksum) == 64
    x, y = tiled.coords[0] * picture.shape[1] // 512
    assert tuple(picture[y, x]) == (30, 60, 200)
    assert picture[2, 2].max() < 235  # glass is dimmed


@pytest.mark.parametrize("name", ["cmu-1-small-region.svs", "tcga-cr-7395-01a-01-ts1.svs"])
def test_real_slides_are_cut_where_their_tissue_is(shared_data: Path, name: str) -> None:
    path = shared_data / "slides" / name
    if name.startswith("tcga"):
        with pytest.raises(DataError, match=r"slides\.assumed_mpp"):
            tile_slide(path, Tiling())
    tiled, seen = tile_slide(path, Tiling(assumed_mpp=0.5, tile=448))
    assert 0.3 < seen.mask.mean() < 0.7
    assert 5 < len(tiled.coords) < 80
    glass = np.percentile(read_tiles(path, tiled.grid, tiled.coords[:2]).max(3), 1)
    assert glass < 200
