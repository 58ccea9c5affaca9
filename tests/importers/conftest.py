from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import DigitalMammographyXRayImageStorageForPresentation, ExplicitVRLittleEndian

from sequela.importers import dicom, dicom_transfer

VIEWS = {"CC": ("399162004", "SCT"), "MLO": ("R-10226", "SRT")}


def coded(value: str, scheme: str = "SCT") -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, "meaning"
    return item


def header(
    patient: str = "P1", day: str = "20200110", side: str = "L", view: str = "CC", **values: object
) -> Dataset:
    dataset = Dataset()
    dataset.SOPClassUID = DigitalMammographyXRayImageStorageForPresentation
    dataset.SOPInstanceUID = f"1.2.{abs(hash((patient, day, side, view)))}"
    dataset.PatientID, dataset.PatientName = patient, "Doe^Jane"
    dataset.StudyDate, dataset.AcquisitionTime = day, "101500"
    dataset.Modality, dataset.Manufacturer = "MG", "SYNTHETIC"
    dataset.PresentationIntentType = "FOR PRESENTATION"
    dataset.ImageLaterality = side
    dataset.ViewCodeSequence = [coded(*VIEWS[view])] if view in VIEWS else []
    dataset.Rows, dataset.Columns, dataset.SamplesPerPixel = 8, 6, 1
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 12, 11
    dataset.PhotometricInterpretation, dataset.PixelRepresentation = "MONOCHROME2", 0
    for name, value in values.items():
        if value is None:
            delattr(dataset, name)
        else:
            setattr(dataset, name, value)
    return dataset


@pytest.fixture(scope="session")
def make_header() -> Callable[..., Dataset]:
    return header


@pytest.fixture(scope="session")
def code() -> Callable[..., Dataset]:
    return coded


@pytest.fixture
def put(tmp_path: Path) -> Callable[..., Path]:
    """Write a header with a few pixels as a file below `tmp_path/source`."""

    def write(name: str, dataset: Dataset) -> Path:
        path = tmp_path / "source" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        dataset.add_new("PixelData", "OW", bytes(96))
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID = dataset.SOPClassUID
        meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        file = FileDataset(str(path), dataset, preamble=b"\0" * 128, file_meta=meta)
        file.save_as(path, enforce_file_format=True)
        return path

    return write


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch, each_here: Callable[..., object]) -> None:
    """The same calls without child processes, where they are not what is tested."""
    for module in (dicom, dicom_transfer):
        monkeypatch.setattr(module, "each", each_here)
