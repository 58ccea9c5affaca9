from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import UID, DigitalMammographyXRayImageStorageForPresentation

from sequela.modalities import preparation
from sequela.simulation.encoding import UIDS, encode_pixels
from sequela.simulation.settings import TransferSyntax

sys.path.append(str(Path(__file__).parent))  # tiny_slides.py

Pixels = np.ndarray


@pytest.fixture(scope="session")
def phantom() -> Pixels:
    """A left breast of 12 bits: tissue touches the left edge, a label stands in the air."""
    rng = np.random.default_rng(3)
    y, x = np.mgrid[:350, :270]
    breast = (x / 130) ** 2 + ((y - 180) / 140) ** 2 < 1
    tissue = 1200 + 900 * np.sin(x / 9) * np.sin(y / 13) + rng.normal(0, 60, x.shape)
    image = np.where(breast, tissue, 0).clip(0, 4095)
    image[20:40, 220:250] = 4000
    return image.astype(np.uint16)


def dicom_bytes(
    pixels: Pixels,
    syntax: TransferSyntax = "explicit",
    *,
    bits: int = 12,
    elements: Dataset | None = None,
    data: bytes | None = None,
    uid: UID | None = None,
) -> bytes:
    dataset = Dataset()
    dataset.SOPClassUID = DigitalMammographyXRayImageStorageForPresentation
    dataset.SOPInstanceUID = "1.2.3.4"
    dataset.Modality = "MG"
    dataset.Manufacturer = "SYNTHETIC"
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated = 8 * pixels.itemsize
    dataset.BitsStored, dataset.HighBit = bits, bits - 1
    dataset.PixelRepresentation = 0
    dataset.update(elements or Dataset())
    if data is None:
        native = syntax in ("explicit", "implicit", "deflated")
        data = pixels.tobytes() if native else encode_pixels(pixels, syntax, bits)
    dataset.add_new("PixelData", "OW", data)
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.TransferSyntaxUID = uid or UIDS[syntax]
    if meta.TransferSyntaxUID.is_encapsulated:
        dataset["PixelData"].VR = "OB"
        dataset["PixelData"].is_undefined_length = True
    buffer = io.BytesIO()
    file = FileDataset(
        buffer,
        dataset,
        preamble=b"\0" * 128,
        file_meta=meta,
        is_implicit_VR=meta.TransferSyntaxUID.is_implicit_VR,
        is_little_endian=meta.TransferSyntaxUID.is_little_endian,
    )
    file.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


@pytest.fixture(scope="session")
def dicom() -> Callable[..., bytes]:
    return dicom_bytes


@pytest.fixture
def folder_of_images(tmp_path: Path, phantom: Pixels) -> list[tuple[str, Path]]:
    """Six DICOM files that differ, and one that is none."""
    source = tmp_path / "source"
    source.mkdir()
    images = []
    for number in range(6):
        path = source / f"{number}.dcm"
        path.write_bytes(dicom_bytes(np.roll(phantom, 3 * number, axis=0)))
        images.append((f"i{number}", path))
    bad = source / "notes.dcm"
    bad.write_text("not an image\n")
    return [*images, ("i9", bad)]


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch, each_here: Callable[..., object]) -> None:
    """The same calls without child processes, where they are not what is tested."""
    monkeypatch.setattr(preparation, "each", each_here)
