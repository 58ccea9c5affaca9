"""What names a patient on a slide, in its file and in its name reaches nothing that is made."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import openslide
import polars as pl
import pytest
import tifffile

from sequela.cohort.patient import Slide
from sequela.encoders import slide_encoding, slide_features
from sequela.encoders.slide_encoding import SlideSettings
from sequela.encoders.slide_features import prepare_slides
from sequela.simulation.slide_files import aperio_slide, tissue, write_aperio_slide
from sequela.traces import traces

CANARIES = ("Canaryname^Jane", "MRN-CANARY-4711", "19471104", "ACC-CANARY-77", "LAB-CANARY-12")
TOLD = (
    f"|User = {CANARIES[0]}|Filename = {CANARIES[1]}|Date = {CANARIES[2]}|Patient = {CANARIES[3]}"
)


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch, each_here: object) -> None:
    for module in (slide_encoding, slide_features):
        monkeypatch.setattr(module, "each", each_here)


@pytest.fixture
def slides(tmp_path: Path) -> list[Slide]:
    source = tmp_path / "source"
    source.mkdir()
    path = write_aperio_slide(source / f"{CANARIES[1]} {CANARIES[0]}.svs", TOLD)
    other = write_aperio_slide(source / f"{CANARIES[3]}.svs", TOLD, seed=1)
    given = source / f"{CANARIES[3]}.h5"
    with h5py.File(given, "w") as file:
        file["features"] = np.ones((3, 6), np.float32)
        file.attrs["encoder"], file.attrs["slide"] = CANARIES[0], CANARIES[1]
    return [Slide("s1", path), Slide("s2", other), Slide("s3", None, given)]


def test_no_canary_of_a_slide_is_in_what_is_made(
    slides: list[Slide], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert len(list(traces(tmp_path / "source", CANARIES[:4]))) >= 3
    out = tmp_path / "out"
    report = prepare_slides(slides[:2], out, SlideSettings(tile=32))
    assert report.failed == {}
    prepare_slides(slides[2:], tmp_path / "given", SlideSettings(tile=32))
    for folder in (out, tmp_path / "given"):
        assert list(traces(folder, CANARIES)) == []
    assert pl.read_parquet(tmp_path / "given" / "slides.parquet")["encoder"].to_list() == [None]
    said = capfd.readouterr()
    assert not any(word in said.out + said.err for word in CANARIES)
    assert {path.name for path in out.glob("s*")} == {
        *("s1.png", "s1.safetensors", "s2.png", "s2.safetensors", "slides.parquet"),
    }


def test_the_label_and_the_macro_image_are_never_opened(
    slides: list[Slide], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(
        openslide.OpenSlide, "associated_images", property(lambda _: opened.append("all") or {})
    )
    read = tifffile.TiffPage.asarray
    monkeypatch.setattr(
        tifffile.TiffPage,
        "asarray",
        lambda page, *rest, **more: opened.append(page.description) or read(page, *rest, **more),
    )
    prepare_slides(slides[:2], tmp_path / "out", SlideSettings(tile=32))
    assert openslide.OpenSlide(slides[0].path).associated_images == {}
    assert opened == ["all"]


def test_what_is_on_the_label_changes_nothing(tmp_path: Path) -> None:
    def made(name: str, shade: int) -> dict[str, object]:
        shown = np.random.default_rng(shade).integers(0, 255, (48, 64, 3), np.uint8)
        path = tmp_path / f"{name}.svs"
        path.write_bytes(aperio_slide(tissue(), label=shown, macro=shown))
        with openslide.OpenSlide(path) as slide:
            assert set(slide.associated_images) == {"label", "macro", "thumbnail"}
        prepare_slides([Slide("s", path)], tmp_path / name, SlideSettings(tile=32))
        rows = pl.read_parquet(tmp_path / name / "slides.parquet").to_dicts()
        picture = (tmp_path / name / "s.png").read_bytes()
        features = (tmp_path / name / "s.safetensors").read_bytes()
        return {"rows": rows, "picture": picture, "features": features[-2000:]}

    assert made("one", 1) == made("two", 2)
