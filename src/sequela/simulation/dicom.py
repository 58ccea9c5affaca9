"""Mammograms as DICOM objects: Digital Mammography X-Ray Image Storage - For Presentation.

The attributes are those of PS3.3 A.27 (IOD) with its modules; every type 1 and type 2 attribute is
there, and values are made up but plausible. Vendors are invented, their habits are not.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import numpy as np
from jaxtyping import UInt16
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import (
    DigitalMammographyXRayImageStorageForPresentation,
    generate_uid,
)

from sequela.cohort.patient import Side, View
from sequela.simulation.encoding import UIDS, encode_pixels
from sequela.simulation.patients import SimulatedPatient
from sequela.simulation.settings import Display, TransferSyntax
from sequela.simulation.stored import Detector, display_elements
from sequela.storage import make_folder


@dataclass(frozen=True)
class Vendor:
    """An invented manufacturer and the habits of its files.

    Attributes:
        name: Manufacturer.
        detector: The values it stores.
        snomed: Coding scheme of its view codes: SRT in older files, SCT in newer ones.
        view_position: Whether ViewPosition is filled; the view code sequence always is.
        private: Whether a block of private elements is present.
        spacing: Millimetres between detector pixels.
    """

    name: str
    detector: Detector
    snomed: str
    view_position: bool
    private: bool
    spacing: float


VENDORS = (
    Vendor("SYNTHETIC AURORA", Detector(12, 0, 4095, False), "SRT", True, False, 0.7),
    Vendor("SYNTHETIC BOREAL", Detector(14, 200, 15000, False), "SCT", False, True, 0.65),
    Vendor("SYNTHETIC CIRRUS", Detector(12, 100, 3900, True), "SRT", True, True, 0.75),
)

_VIEW_CODES = {
    ("CC", "SRT"): ("R-10242", "cranio-caudal"),
    ("CC", "SCT"): ("399162004", "cranio-caudal"),
    ("MLO", "SRT"): ("R-10226", "medio-lateral oblique"),
    ("MLO", "SCT"): ("399368009", "medio-lateral oblique"),
}
_BREAST_CODES = {"SRT": ("T-04000", "Breast"), "SCT": ("76752008", "Breast")}
_ORIENTATION = {
    ("L", "CC"): ["A", "R"],
    ("L", "MLO"): ["A", "FR"],
    ("R", "CC"): ["P", "L"],
    ("R", "MLO"): ["P", "FL"],
}
_PRIVATE_GROUP = 0x0019


def vendor_of(patient: SimulatedPatient) -> Vendor:
    """The vendor of a patient's hospital."""
    return VENDORS[patient.site % len(VENDORS)]


@dataclass(frozen=True)
class Acquisition:
    """Which image a file holds and how it is stored."""

    exam: int
    side: Side
    view: View
    number: int
    syntax: TransferSyntax
    display: Display


def mammogram(
    patient: SimulatedPatient, taken: Acquisition, pixels: UInt16[np.ndarray, "height width"]
) -> Dataset:
    """A complete data set of one image, with its file meta information."""
    vendor = vendor_of(patient)
    dataset = Dataset()
    dataset.update(_patient_and_study(patient, taken))
    dataset.update(_series_and_equipment(patient, taken, vendor))
    dataset.update(_acquisition(taken, vendor))
    dataset.update(_anatomy(patient, taken, vendor))
    dataset.update(_pixel_module(taken, vendor, pixels))
    dataset.update(display_elements(taken.display, vendor.detector))
    if vendor.private:
        block = dataset.private_block(_PRIVATE_GROUP, f"{vendor.name} 1.0", create=True)
        block.add_new(0x01, "LO", "SYNTHETIC PROCESSING B2")
        block.add_new(0x02, "OB", bytes(range(16)))
    return dataset


def write_mammogram(dataset: Dataset, syntax: TransferSyntax, path: Path) -> None:
    """Write `dataset` as a DICOM file with preamble, in the encoding its pixels have."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.TransferSyntaxUID = UIDS[syntax]
    meta.ImplementationVersionName = "SEQUELA_SIM"
    make_folder(path.parent)
    file = FileDataset(str(path), dataset, preamble=b"\0" * 128, file_meta=meta)
    file.save_as(path, enforce_file_format=True)


def _uid(*parts: object) -> str:
    """A UID that follows from what it names, so that a rerun writes the same bytes."""
    return generate_uid(entropy_srcs=["sequela simulation", *map(str, parts)])


def _patient_and_study(patient: SimulatedPatient, taken: Acquisition) -> Dataset:
    study = patient.exam_id(taken.exam)
    day = patient.index_date + timedelta(days=patient.days[taken.exam])
    born = patient.index_date - timedelta(days=round(patient.covariates.age * 365.25))
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.PatientName = f"SYNTHETIC^PATIENT {patient.number:05d}"
    dataset.PatientID = patient.patient_id
    dataset.PatientBirthDate = born.strftime("%Y%m%d")
    dataset.PatientSex = "F"
    dataset.PatientIdentityRemoved = "YES"
    dataset.LongitudinalTemporalInformationModified = "MODIFIED"
    dataset.DeidentificationMethod = "SIMULATED, NO PERSON BEHIND IT"
    dataset.StudyInstanceUID = _uid(patient.seed, study)
    dataset.StudyID = str(taken.exam + 1)
    dataset.AccessionNumber = f"SYN{patient.number:05d}{taken.exam + 1:02d}"
    dataset.ReferringPhysicianName = ""
    dataset.StudyDescription = "SYNTHETIC MAMMOGRAM"
    for name in ("Study", "Series", "Acquisition", "Content"):
        setattr(dataset, f"{name}Date", day.strftime("%Y%m%d"))
        setattr(dataset, f"{name}Time", f"0900{10 + taken.number:02d}")
    return dataset


def _series_and_equipment(patient: SimulatedPatient, taken: Acquisition, vendor: Vendor) -> Dataset:
    exam = patient.exam_id(taken.exam)
    dataset = Dataset()
    dataset.SOPClassUID = DigitalMammographyXRayImageStorageForPresentation
    dataset.SOPInstanceUID = _uid(patient.seed, exam, taken.side, taken.view)
    dataset.Modality = "MG"
    dataset.SeriesInstanceUID = _uid(patient.seed, exam, "series")
    dataset.SeriesNumber = 1
    dataset.InstanceNumber = taken.number
    dataset.PresentationIntentType = "FOR PRESENTATION"
    dataset.SeriesDescription = f"{taken.side} {taken.view}"
    dataset.Manufacturer = vendor.name
    dataset.ManufacturerModelName = "PHANTOM 1"
    dataset.InstitutionName = f"SYNTHETIC HOSPITAL {chr(ord('A') + patient.site)}"
    dataset.DeviceSerialNumber = f"SYN-{patient.site:03d}"
    dataset.SoftwareVersions = "1.0"
    return dataset


def _acquisition(taken: Acquisition, vendor: Vendor) -> Dataset:
    dataset = Dataset()
    dataset.KVP = 29
    dataset.ExposureTime = 900
    dataset.XRayTubeCurrent = 100
    dataset.Exposure = 90
    dataset.AnodeTargetMaterial = "TUNGSTEN"
    dataset.FilterType = "FLAT"
    dataset.FilterMaterial = "RHODIUM"
    dataset.Grid = ["RECIPROCATING", "FOCUSED"]
    dataset.FocalSpots = 0.3
    dataset.BodyPartThickness = 55
    dataset.CompressionForce = 110
    dataset.DistanceSourceToDetector = 660
    dataset.DistanceSourceToPatient = 660
    dataset.EstimatedRadiographicMagnificationFactor = 1
    dataset.PositionerType = "MAMMOGRAPHIC"
    dataset.PositionerPrimaryAngle = _angle(taken.side, taken.view)
    dataset.DetectorType = "DIRECT"
    dataset.DetectorID = f"{vendor.name[-6:]}-1"
    dataset.FieldOfViewShape = "RECTANGLE"
    dataset.ImagerPixelSpacing = [vendor.spacing, vendor.spacing]
    dataset.AcquisitionContextSequence = []
    return dataset


def _angle(side: Side, view: View) -> int:
    if view == "CC":
        return 0
    return 45 if side == "R" else -45


def _anatomy(patient: SimulatedPatient, taken: Acquisition, vendor: Vendor) -> Dataset:
    dataset = Dataset()
    dataset.ImageLaterality = taken.side
    dataset.PatientOrientation = _ORIENTATION[taken.side, taken.view]
    dataset.OrganExposed = "BREAST"
    dataset.BodyPartExamined = "BREAST"
    dataset.BreastImplantPresent = "NO"
    dataset.PartialView = "NO"
    dataset.AnatomicRegionSequence = [coded(*_BREAST_CODES[vendor.snomed], vendor.snomed)]
    view = coded(*_VIEW_CODES[taken.view, vendor.snomed], vendor.snomed)
    view.ViewModifierCodeSequence = []
    dataset.ViewCodeSequence = [view]
    if vendor.view_position:
        dataset.ViewPosition = taken.view
    return dataset


def coded(value: str, meaning: str, scheme: str) -> Dataset:
    """An item of a code sequence."""
    item = Dataset()
    item.CodeValue, item.CodeMeaning, item.CodingSchemeDesignator = value, meaning, scheme
    return item


def _pixel_module(
    taken: Acquisition, vendor: Vendor, pixels: UInt16[np.ndarray, "height width"]
) -> Dataset:
    bits = vendor.detector.bits
    dataset = Dataset()
    dataset.ImageType = ["DERIVED", "PRIMARY"]
    dataset.DerivationDescription = "Simulated; no X-ray was taken"
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.SamplesPerPixel = 1
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, bits, bits - 1
    dataset.PixelRepresentation = 0
    dataset.PixelSpacing = [vendor.spacing, vendor.spacing]
    dataset.PixelIntensityRelationship = "LOG"
    inverted = taken.display.endswith("-inverted")
    dataset.PixelIntensityRelationshipSign = 1 if inverted else -1  # dense tissue is white
    dataset.RescaleIntercept, dataset.RescaleSlope, dataset.RescaleType = 0, 1, "US"
    dataset.LossyImageCompression = "00"
    dataset.BurnedInAnnotation = "NO"
    dataset.QualityControlImage = "NO"
    dataset.add_new("PixelData", "OW", encode_pixels(pixels, taken.syntax, bits))
    if taken.syntax not in ("explicit", "implicit", "deflated"):
        dataset["PixelData"].VR = "OB"
        dataset["PixelData"].is_undefined_length = True
    return dataset
