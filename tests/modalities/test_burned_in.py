from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from sequela.importers.dicom_file import read_dicom
from sequela.modalities.burned_in import has_burned_in_text
from sequela.modalities.dicom_pixels import stored_values
from sequela.simulation.hostile import ordinary


@pytest.mark.parametrize("place", [(0, 0), (300, 120)])
@pytest.mark.parametrize("height", [10, 24])
def test_a_line_of_letters_is_seen_and_its_absence_too(place: tuple[int, int], height: int) -> None:
    rows, columns = np.mgrid[:400, :400]
    smooth = (1000 + 900 * np.sin(rows / 40) * np.cos(columns / 50)).astype(np.uint16)
    noisy = smooth + np.random.default_rng(0).integers(0, 60, smooth.shape).astype(np.uint16)
    assert not has_burned_in_text(noisy)
    mask = Image.new("L", (400, 400), 0)
    font = ImageFont.load_default(height)
    ImageDraw.Draw(mask).text(place[::-1], "ROE^JANE 1947-11-04", fill=255, font=font)
    assert has_burned_in_text(np.where(np.asarray(mask) > 127, 4095, noisy).astype(np.uint16))


def test_an_ordinary_mammogram_has_none(tmp_path: Path) -> None:
    ordinary(tmp_path / "one.dcm")
    assert not has_burned_in_text(stored_values(read_dicom(tmp_path / "one.dcm", pixels=True))[0])


def test_what_is_smaller_than_a_word_has_none() -> None:
    assert not has_burned_in_text(np.eye(8, dtype=np.uint16))
