"""Slides become feature files: resumed to the same bytes, whole or absent."""

from __future__ import annotations

import os
from pathlib import Path

import h5py
import numpy as np
import polars as pl
import pytest
import torch
from tiny_slides import damaged, stained, write_slide

from sequela.cohort.patient import Patient, Slide
from sequela.encoders import slide_encoding, slide_features
from sequela.encoders.patch import PatchEncoderConfig, build_patch_encoder
from sequela.encoders.slide_encoding import SlideSettings
from sequela.encoders.slide_features import prepare_slides
from sequela.errors import DataError
from sequela.modalities.feature_file import SlideFeatures, read_features, write_features
from sequela.modalities.slide_bags import SlideBags
from sequela.modalities.tiling import read_tiles, tile_slide

SETTINGS = SlideSettings(tile=32)


@pytest.fixture
def here(monkeypatch, each_here):
    for module in (slide_encoding, slide_features):
        monkeypatch.setattr(module, "each", each_here)
    monkeypatch.setattr(slide_encoding, "_CHUNK", 7)


@pytest.fixture
def slides(tmp_path):
    paths = [
        write_slide(tmp_path / f"{name}.tiff", stained(seed=seed))
        for seed, name in enumerate("abc")
    ]
    return [Slide(path.stem, path) for path in paths]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != ".lock"}


def test_a_file_holds_every_tile_and_how_it_was_made(here, slides, tmp_path):
    report = prepare_slides(slides, tmp_path / "out", SETTINGS)
    assert (report.slides, report.made, report.failed) == (3, 3, {})
    found = read_features(tmp_path / "out" / "a.safetensors")
    tiled, _ = tile_slide(slides[0].path, SETTINGS.tiling)
    np.testing.assert_array_equal(found.coords, tiled.coords)
    tiles = torch.from_numpy(read_tiles(slides[0].path, tiled.grid, tiled.coords))
    encoder = build_patch_encoder(PatchEncoderConfig())
    np.testing.assert_allclose(found.features, encoder.encode(tiles).numpy(), atol=1e-6)
    assert found.made["encoder_hash"] == encoder.hash
    assert found.made["licence"] == "Apache-2.0"
    assert (found.made["mpp"], found.made["tile"], found.made["span"]) == (0.5, 32, 32)
    assert len(found.made["slide_checksum"]) == 64
    assert (tmp_path / "out" / "a.png").is_file()
    assert report.patches == pl.read_parquet(tmp_path / "out" / "slides.parquet")["patches"].sum()


def test_processes_make_the_bytes_that_one_makes(slides, tmp_path, monkeypatch, each_here):
    monkeypatch.setattr(slide_encoding, "_CHUNK", 7)
    prepare_slides(slides[:1], tmp_path / "many", SETTINGS, workers=2)
    for module in (slide_encoding, slide_features):
        monkeypatch.setattr(module, "each", each_here)
    prepare_slides(slides[:1], tmp_path / "one", SETTINGS)
    assert contents(tmp_path / "many") == contents(tmp_path / "one")


@pytest.mark.parametrize("stop", [0, 3, 8, 20])
def test_stopped_anywhere_and_run_again_it_ends_in_the_same_bytes(
    here, slides, tmp_path, monkeypatch, stop
):
    prepare_slides(slides, tmp_path / "whole", SETTINGS)
    encode, calls = slide_encoding.SlideEncoding._encode, iter(range(10_000))

    def dying(self: object, tiles: object) -> object:
        if next(calls) == stop:
            raise KeyboardInterrupt
        return encode(self, tiles)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(slide_encoding.SlideEncoding, "_encode", dying)
        prepare_slides(slides, tmp_path / "again", SETTINGS)
    standing = set(contents(tmp_path / "again"))
    assert not [name for name in standing if name.endswith(".part")]
    report = prepare_slides(slides, tmp_path / "again", SETTINGS)
    assert report.made == 3 - len([name for name in standing if name.endswith(".safetensors")])
    assert contents(tmp_path / "again") == contents(tmp_path / "whole")


def test_what_was_made_in_this_way_is_left_and_all_else_made_again(here, slides, tmp_path):
    out = tmp_path / "out"
    prepare_slides(slides, out, SETTINGS)
    assert prepare_slides(slides, out, SETTINGS).made == 0
    assert prepare_slides(slides, out, SETTINGS.evolve(batch=5, policy="first")).made == 0
    assert prepare_slides(slides, out, SETTINGS.evolve(tissue=0.9)).made == 3
    later = slides[1].path.stat().st_mtime_ns + 10**12
    os.utime(slides[1].path, ns=(later, later))
    assert prepare_slides(slides, out, SETTINGS.evolve(tissue=0.9)).made == 1


def test_a_slide_that_cannot_be_read_is_a_row_with_the_reason(here, slides, tmp_path):
    damaged(slides[1].path, lambda page: page.dataoffsets[44])
    (tmp_path / "d.svs").write_bytes(b"no slide")
    nowhere = Slide("d", tmp_path / "d.svs")
    report = prepare_slides([*slides, nowhere], tmp_path / "out", SETTINGS)
    assert set(report.failed) == {"b", "d"}
    assert "damaged" in report.failed["b"]
    assert "not a slide" in report.failed["d"]
    assert not (tmp_path / "out" / "b.safetensors").exists()
    bags = SlideBags.of(
        [Patient(one.slide_id, "s", (), (), slides=(one,)) for one in [*slides, nowhere]],
        tmp_path / "out",
    )
    assert [len(bags.bag(name)) > 0 for name in "abcd"] == [True, False, True, False]


def test_given_features_are_taken_as_they_are(here, tmp_path):
    features = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["features"], file["coords"] = features[None], np.zeros((1, 6, 2), dtype=int)
    write_features(tmp_path / "b.safetensors", SlideFeatures(features * 2, None))
    given = [
        Slide("a", features=tmp_path / "a.h5"),
        Slide("b", features=tmp_path / "b.safetensors"),
    ]
    report = prepare_slides(given, tmp_path / "out", SETTINGS)
    assert (report.made, report.patches, report.failed) == (2, 12, {})
    assert not (tmp_path / "out" / "b.safetensors").exists()
    bags = SlideBags.of([Patient("P", "s", (), (), slides=tuple(given))], tmp_path / "out")
    np.testing.assert_array_equal(bags.bag("P"), np.concatenate([features, features * 2]))
    assert bags.made["width"] == 4


def given(folder: Path, name: str, features: np.ndarray, **made: object) -> Slide:
    write_features(folder / f"{name}.safetensors", SlideFeatures(features, None, made))
    return Slide(name, features=folder / f"{name}.safetensors")


ONES = np.ones((3, 4), dtype=np.float32)
OTHERS = {
    "of another dimension": ({"features": ONES[:, :3]}, "numbers a patch"),
    "of another encoder": ({"features": ONES, "encoder": "uni"}, "encoder"),
    "of other weights": ({"features": ONES, "encoder": "b", "encoder_hash": "1"}, "weights"),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_features_of_two_encoders_are_refused(here, tmp_path, kind):
    other, sentence = OTHERS[kind]
    first = given(tmp_path, "x1", ONES, encoder="b", encoder_hash="0")
    second = given(tmp_path, "x2", **other)
    with pytest.raises(DataError, match=sentence) as error:
        prepare_slides([first, second], tmp_path / "out", SETTINGS)
    assert "x1" not in str(error.value)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_features_that_are_no_numbers_are_a_row_with_the_reason(here, tmp_path, value):
    bad = given(tmp_path, "bad", np.where(np.eye(3, 4) > 0, value, 1).astype(np.float32))
    good = given(tmp_path, "good", ONES)
    report = prepare_slides([bad, good], tmp_path / "out", SETTINGS)
    assert list(report.failed) == ["bad"]
    assert "NaN or infinite" in report.failed["bad"]


def test_bags_that_are_not_prepared_say_so(tmp_path, slides):
    patient = Patient("P", "s", (), (), slides=tuple(slides))
    with pytest.raises(DataError, match="not prepared"):
        SlideBags.of([patient], tmp_path)
    assert SlideBags.of([Patient("P", "s", (), (), slides=(Slide("x"),))], tmp_path) is None


def test_all_public_slides_go_through(here, shared_data, tmp_path):
    folder = shared_data / "slides"
    files = sorted(path for path in folder.iterdir() if path.suffix != ".txt")
    slides = [Slide(path.name, path, mpp=None) for path in files]
    kidney = next(slide for slide in slides if "kidney" in slide.slide_id)
    slides[slides.index(kidney)] = Slide(kidney.slide_id, kidney.path, mpp=8.0)
    asked = SlideSettings(mpp=8.0, tile=2, tissue=0.1, assumed_mpp=0.5)
    report = prepare_slides(
        [one for one in slides if not one.slide_id.startswith(("cmu", "tcga"))],
        tmp_path / "a",
        asked.evolve(mpp=0.5, tile=8),
    )
    assert report.failed.keys() == {
        "broken.svs",
        "unreadable.svs",
        "unopenable.tiff",
        "kidney-48-5.tif",
    }
    assert "coarser" in report.failed["kidney-48-5.tif"]
    large = [one for one in slides if one.slide_id.startswith(("cmu", "tcga", "kidney"))]
    again = prepare_slides(large, tmp_path / "b", asked.evolve(tile=32))
    assert again.failed == {}
    assert again.patches > 50
