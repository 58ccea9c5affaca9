from pathlib import Path

import pydicom
import pytest
from pydicom.encaps import generate_frames
from pydicom.errors import InvalidDicomError
from pydicom.pixels.utils import get_j2k_parameters

from sequela.simulation import hostile


@pytest.mark.parametrize("name", sorted(set(hostile.TROUBLES) - {"deflate-bomb"}))
def test_every_trouble_differs_from_the_ordinary_file(name: str, tmp_path: Path) -> None:
    file = tmp_path / "image.dcm"
    hostile.ordinary(file)
    good = file.read_bytes()
    hostile.TROUBLES[name](file)
    assert file.read_bytes() != good


def test_no_trouble_is_a_second_copy_of_another(tmp_path: Path) -> None:
    headerless = {"empty", "not-dicom", "without-preamble", "truncated-jpeg", "truncated-header"}
    readable = set(hostile.TROUBLES) - headerless - {"deflate-bomb"}
    for name in readable:
        hostile.TROUBLES[name](tmp_path / f"{name}.dcm")
    headers = [
        pydicom.dcmread(tmp_path / f"{name}.dcm", stop_before_pixels=True) for name in readable
    ]
    assert len({header.SOPInstanceUID for header in headers}) == len(readable)
    assert len({header.PatientID for header in headers}) == len(readable)


def test_the_ordinary_file_has_no_trouble(tmp_path: Path) -> None:
    hostile.ordinary(tmp_path / "a.dcm")
    dataset = pydicom.dcmread(tmp_path / "a.dcm")
    assert dataset.pixel_array.shape == (96, 80)
    assert (dataset.ImageLaterality, dataset.ViewPosition) == ("R", "CC")


@pytest.mark.parametrize("name", ["enormous", "enormous-jpeg"])
def test_enormous_files_are_small(name: str, tmp_path: Path) -> None:
    hostile.TROUBLES[name](tmp_path / "a.dcm")
    dataset = pydicom.dcmread(tmp_path / "a.dcm")
    assert dataset.Rows == dataset.Columns == 10_000
    assert (tmp_path / "a.dcm").stat().st_size < 8_000


def test_the_enormous_jpeg_declares_its_size_in_the_frame_too(tmp_path: Path) -> None:
    hostile.enormous_jpeg(tmp_path / "a.dcm")
    dataset = pydicom.dcmread(tmp_path / "a.dcm")
    frame = next(generate_frames(dataset.PixelData, number_of_frames=1))
    assert get_j2k_parameters(frame)["precision"] == dataset.BitsStored
    assert int.from_bytes(frame[8:12], "big") == int.from_bytes(frame[12:16], "big") == 10_000


def test_the_deflate_bomb_grows(tmp_path: Path) -> None:
    hostile.deflate_bomb(tmp_path / "a.dcm", megabytes=3)
    assert len(pydicom.dcmread(tmp_path / "a.dcm").PixelData) == 3 << 20
    assert (tmp_path / "a.dcm").stat().st_size < 10_000


@pytest.mark.parametrize("name", ["empty", "not-dicom", "without-preamble"])
def test_what_is_no_dicom_file_is_not_read_as_one(name: str, tmp_path: Path) -> None:
    hostile.TROUBLES[name](tmp_path / "a.dcm")
    with pytest.raises(InvalidDicomError):
        pydicom.dcmread(tmp_path / "a.dcm")


@pytest.mark.filterwarnings("ignore:End of file reached")
@pytest.mark.parametrize(
    "name", ["truncated", "truncated-jpeg", "without-pixels", "garbage-pixels"]
)
def test_broken_pixels_cannot_be_decoded(name: str, tmp_path: Path) -> None:
    hostile.TROUBLES[name](tmp_path / "a.dcm")
    dataset = pydicom.dcmread(tmp_path / "a.dcm")
    with pytest.raises((AttributeError, RuntimeError, ValueError)):
        _ = dataset.pixel_array
