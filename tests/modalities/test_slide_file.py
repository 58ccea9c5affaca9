"""A slide opens, says its resolution, and gives OpenSlide's pixels whoever decodes them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import openslide
import pytest
import tifffile
from tiny_slides import damaged, stained, write_slide

from sequela.errors import DataError
from sequela.modalities.jpeg_tiles import plain_jpeg_levels
from sequela.modalities.slide_file import SlideFile


def openslide_says(path: Path, level: int, x: int, y: int, size: tuple[int, int]) -> np.ndarray:
    with openslide.OpenSlide(path) as slide:
        return np.asarray(slide.read_region((x, y), level, size).convert("RGB"))


REGIONS = [
    (0, 64, 128, (64, 64)),
    (0, 0, 0, (130, 70)),
    (0, 33, 250, (200, 190)),
    (1, 64, 32, (80, 64)),
]


@pytest.mark.parametrize("coded", ["rgb", "ycbcr"])
@pytest.mark.parametrize("region", REGIONS)
def test_plain_jpeg_tiles_have_the_pixels_of_openslide(tmp_path, coded, region):
    path = write_slide(tmp_path / "a.tiff", stained(), coded=coded)
    slide = SlideFile.open(path)
    assert slide.plain == {0, 1}
    level, x, y, size = region
    ours = slide.read(level, x, y, *size)
    there = stained()[:: 2**level, :: 2**level][y >> level :, x >> level :][: size[1], : size[0]]
    np.testing.assert_allclose(ours.mean((0, 1)), there.mean((0, 1)), atol=3)
    np.testing.assert_array_equal(ours, openslide_says(path, level, x, y, size))


def test_all_pixels_of_a_real_slide_are_those_of_openslide(shared_data):
    path = shared_data / "slides" / "cmu-1-small-region.svs"
    slide = SlideFile.open(path)
    assert slide.plain == {0}
    for y in range(0, 2967 - 300, 333):
        theirs = openslide_says(path, 0, 7, y, (2200, 300))
        np.testing.assert_array_equal(slide.read(0, 7, y, 2200, 300), theirs)


@pytest.mark.parametrize("compression", ["deflate", None])
def test_other_tiles_are_left_to_openslide(tmp_path, compression):
    path = write_slide(tmp_path / "a.tiff", stained(), compression=compression)
    assert SlideFile.open(path).plain == set()
    np.testing.assert_array_equal(
        SlideFile.open(path).read(0, 10, 20, 90, 80), openslide_says(path, 0, 10, 20, (90, 80))
    )


def test_a_level_with_a_missing_tile_is_not_plain(tmp_path):
    path = write_slide(tmp_path / "a.tiff", stained(), levels=1)
    with tifffile.TiffFile(path, mode="r+") as file:
        tag = file.pages[0].tags["TileByteCounts"]
        tag.overwrite((0, *tag.value[1:]))
    assert plain_jpeg_levels(path) == {}


def test_between_two_pixels_of_a_smaller_level_openslide_reads(tmp_path):
    path = write_slide(tmp_path / "a.tiff", stained())
    np.testing.assert_array_equal(
        SlideFile.open(path).read(1, 33, 33, 50, 50), openslide_says(path, 1, 33, 33, (50, 50))
    )


@pytest.mark.parametrize(
    ("mpp", "told"), [(0.5, 0.5), (0.25, 0.25), (None, None), (353.0, None), (0.001, None)]
)
def test_a_resolution_is_told_only_if_a_scanner_could_have_it(tmp_path, mpp, told):
    path = write_slide(tmp_path / "a.tiff", stained(), mpp=mpp)
    assert SlideFile.open(path).mpp == (None if told is None else pytest.approx(told, rel=1e-3))


def test_a_small_tiff_without_tiles_is_read_as_a_whole(tmp_path):
    picture = stained(200, 300)
    path = write_slide(tmp_path / "a.tiff", picture, levels=1, compression=None, tile=None)
    slide = SlideFile.open(path)
    np.testing.assert_array_equal(slide.read(0, 10, 20, 64, 32), picture[20:52, 10:74])


@pytest.mark.parametrize(
    "content", [b"", b"IJrE" * 99, b"II*\0" + b"\xff" * 64, b"\x89HDF\r\n\x1a\n"]
)
def test_what_is_no_slide_is_said_to_be_none(tmp_path, content):
    (tmp_path / "a.svs").write_bytes(content)
    with pytest.raises(DataError, match=r"not a slide|damaged"):
        SlideFile.open(tmp_path / "a.svs")


def test_a_damaged_tile_is_one_sentence(tmp_path):
    path = write_slide(tmp_path / "a.tiff", stained(), levels=1)
    damaged(path, lambda page: page.dataoffsets[0])
    with pytest.raises(DataError, match="damaged") as error:
        SlideFile.open(path).read(0, 0, 0, 64, 64)
    assert str(tmp_path) not in error.value.message


SENTENCES = {
    "broken.svs": "is not a slide",
    "unreadable.svs": "is damaged|no JPEG",
    "unopenable.tiff": "compression 52479",
}


@pytest.mark.parametrize(("name", "sentence"), SENTENCES.items())
def test_files_that_are_broken_on_purpose_give_a_sentence(shared_data, name, sentence):
    with pytest.raises(DataError, match=sentence) as error:
        slide = SlideFile.open(shared_data / "slides" / name)
        slide.read(0, 0, 0, 16, 16)
    assert "/" not in error.value.message


@pytest.mark.parametrize("name", ["small.svs", "boxes_0.dcm", "boxes_1.dcm", "boxes.tiff"])
def test_tiny_public_slides_read_as_openslide_reads_them(shared_data, name):
    path = shared_data / "slides" / name
    np.testing.assert_array_equal(
        SlideFile.open(path).read(0, 0, 0, 16, 16), openslide_says(path, 0, 0, 0, (16, 16))
    )


def test_label_and_macro_are_never_asked_for(shared_data, monkeypatch):
    def refused(self: object) -> None:
        raise AssertionError("associated images were read")

    monkeypatch.setattr(openslide.OpenSlide, "associated_images", property(refused))
    slide = SlideFile.open(shared_data / "slides" / "cmu-1-small-region.svs")
    assert len(slide.levels) == 1
    assert set(plain_jpeg_levels(shared_data / "slides" / "cmu-1-small-region.svs")) == {
        (2220, 2967)
    }
