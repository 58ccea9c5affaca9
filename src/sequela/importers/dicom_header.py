"""What an import needs to know of one DICOM file, read without its pixels."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from pydicom import Dataset
from pydicom.uid import (
    BreastProjectionXRayImageStorageForPresentation,
    BreastProjectionXRayImageStorageForProcessing,
    BreastTomosynthesisImageStorage,
    DigitalMammographyXRayImageStorageForProcessing,
    MediaStorageDirectoryStorage,
)

from sequela.cohort.patient import Side, View
from sequela.errors import DataError
from sequela.importers.dicom_file import BROKEN, read_dicom
from sequela.importers.status import Status
from sequela.importers.view_codes import projection

FOR_PROCESSING = (
    "is For Processing (raw detector values); export the For Presentation image instead"
)
_TOMOSYNTHESIS = {
    BreastTomosynthesisImageStorage,
    BreastProjectionXRayImageStorageForPresentation,
    BreastProjectionXRayImageStorageForProcessing,
}


@dataclass(frozen=True)
class Mammogram:
    """The header of a standard mammogram: who, when, which view, and how good a copy.

    The first four identify a patient: they reach no file of the cohort as they are.

    Attributes:
        patient: PatientID (its issuer is not looked at).
        day: Date of the study, else of the acquisition.
        clock: Time of the acquisition, as DICOM writes it.
        image: SOPInstanceUID.
        vendor: Manufacturer.
        synthetic: Computed from a tomosynthesis.
        displaced: Taken with an implant pushed back.
        partial: One of several images that together show the breast.
        pixels: Rows times columns.
        remarks: What the user should know of it.
    """

    patient: str
    day: date
    clock: str
    image: str
    side: Side
    view: View
    vendor: str
    synthetic: bool
    displaced: bool
    partial: bool
    pixels: int
    remarks: tuple[str, ...]


@dataclass(frozen=True)
class NotTaken:
    """Why a file is not imported."""

    status: Status
    reason: str


def read_header(path: Path) -> Mammogram | NotTaken:
    """The mammogram that a file holds, or why it is none that we import."""
    try:
        return _read(read_dicom(path, pixels=False))
    except DataError as error:
        return NotTaken("unreadable", error.message)
    except BROKEN as error:
        return NotTaken("unreadable", f"its DICOM header is broken ({type(error).__name__})")


def _read(header: Dataset) -> Mammogram | NotTaken:
    reason = _not_a_mammogram(header)
    if reason:
        return NotTaken("set aside", reason)
    if for_processing(header):
        return NotTaken("refused", FOR_PROCESSING)
    shown = projection(header)
    if shown.side is None or shown.view is None:
        return NotTaken("set aside", shown.aside)
    patient, day, image = str(header.get("PatientID") or "").strip(), _day(header), _uid(header)
    if not patient or day is None or not image:
        lacks = "PatientID" if not patient else "SOPInstanceUID" if not image else "valid StudyDate"
        return NotTaken("refused", f"has no {lacks}, so it cannot be placed in a patient's history")
    synthetic = any("GENERATED_2D" in part or "TOMO_2D" in part for part in _image_type(header))
    displaced, partial = "implant displaced" in shown.modifiers, _says_yes(header, "PartialView")
    remarks = {
        "shows an implant": _says_yes(header, "BreastImplantPresent"),
        "shows the breast with its implant displaced": displaced,
        "shows a part of the breast (mosaic)": partial,
        "was computed from a tomosynthesis (synthetic 2D)": synthetic,
    }
    return Mammogram(
        *(patient, day, _clock(header), image, shown.side, shown.view),
        vendor=str(header.get("Manufacturer") or "").strip(),
        synthetic=synthetic,
        displaced=displaced,
        partial=partial,
        pixels=int(header.get("Rows") or 0) * int(header.get("Columns") or 0),
        remarks=tuple(remark for remark, holds in remarks.items() if holds),
    )


def _not_a_mammogram(header: Dataset) -> str:
    kind = header.get("SOPClassUID") or header.file_meta.get("MediaStorageSOPClassUID")
    if kind == MediaStorageDirectoryStorage:
        return "is a DICOMDIR, an index of files"
    if kind in _TOMOSYNTHESIS or int(header.get("NumberOfFrames") or 1) > 1:
        return "is a tomosynthesis or another image of several frames"
    modality = str(header.get("Modality") or "").strip().upper()
    breast = "BREAST" in str(header.get("BodyPartExamined") or "").upper()
    if modality != "MG" and not (modality in ("CR", "DX") and breast):
        return f"is not a mammogram (modality {modality if modality.isalpha() else 'not given'})"
    if not header.get("Rows") or not header.get("Columns"):
        return "holds no image: Rows or Columns is missing"
    if int(header.get("SamplesPerPixel") or 1) != 1:
        return "is in colour: a screen shot or an overlay, not a mammogram"
    return ""


def for_processing(header: Dataset) -> bool:
    """Whether the image holds what the detector measured, which no display rule applies to."""
    intent = str(header.get("PresentationIntentType") or "").strip().upper()
    kind = header.get("SOPClassUID")
    return intent == "FOR PROCESSING" or kind == DigitalMammographyXRayImageStorageForProcessing


def _uid(header: Dataset) -> str:
    uid = header.get("SOPInstanceUID") or header.file_meta.get("MediaStorageSOPInstanceUID")
    return str(uid or "").strip()


def _day(header: Dataset) -> date | None:
    kinds = ("Study", "Acquisition", "Content", "Series")
    days = (parsed_date(str(header.get(f"{kind}Date") or "")) for kind in kinds)
    return next((day for day in days if day is not None), None)


def _clock(header: Dataset) -> str:
    return str(header.get("AcquisitionTime") or header.get("ContentTime") or "")


def _image_type(header: Dataset) -> list[str]:
    value = header.get("ImageType") or ()
    return [str(part).upper() for part in ([value] if isinstance(value, str) else value)]


def _says_yes(header: Dataset, keyword: str) -> bool:
    return str(header.get(keyword) or "").strip().upper() == "YES"


def parsed_date(text: str) -> date | None:
    """A day written as 20240131, 2024.01.31 or 2024-01-31; None if it is no such day."""
    digits = text.strip().replace(".", "").replace("-", "")
    try:
        return datetime.strptime(digits, "%Y%m%d").date() if len(digits) == 8 else None
    except ValueError:
        return None
