"""A DICOM data set without what identifies its patient (PS3.15, Annex E).

The Basic Application Level Confidentiality Profile names what has to go. This goes further and
names what may stay, since a list of what has to go is never complete: standard UIDs, numbers on
how the image was made and lies, and of codes, texts and sequences those below. With the option
Retain Longitudinal Temporal Information with Modified Dates, dates move by days of the patient's
own, so intervals stay; times of the day stay.
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import timedelta
from pathlib import Path

from pydicom import DataElement, Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID

from sequela.errors import DataError
from sequela.importers.dicom_file import BROKEN
from sequela.importers.dicom_header import parsed_date
from sequela.importers.pseudonyms import Pseudonyms
from sequela.storage import atomic

_MOST_DAYS = 3650
_METHOD = "Sequela: only listed elements kept, dates moved"
_METHODS = (  # PS3.16, CID 7050
    ("113100", "Basic Application Confidentiality Profile"),
    ("113107", "Retain Longitudinal Temporal Information Modified Dates Option"),
)
_TEXTS = frozenset(
    {
        *("Manufacturer", "ManufacturerModelName", "SoftwareVersions", "CodeValue"),
        *("CodingSchemeDesignator", "CodingSchemeVersion", "RescaleType", "SpecificCharacterSet"),
    }
)
_CODES = frozenset(
    {
        *("AcquisitionMotion", "AnodeTargetMaterial", "BreastImplantPresent", "BurnedInAnnotation"),
        *("CollimatorShape", "ConversionType", "DetectorConfiguration", "DetectorType"),
        *("ExposureControlMode", "ExposureStatus", "FieldOfViewShape", "FilterMaterial"),
        *("FrameLaterality", "FrameType", "Grid", "ImageLaterality", "ImageType", "Laterality"),
        *("LossyImageCompression", "LossyImageCompressionMethod", "Modality", "PartialView"),
        *("PatientOrientation", "PatientPosition", "PhotometricInterpretation"),
        *("PixelIntensityRelationship", "PixelPresentation", "PixelSpacingCalibrationType"),
        *("PositionerMotion", "PositionerType", "PresentationIntentType", "PresentationLUTShape"),
        *("QualityControlImage", "VOILUTFunction", "ViewPosition", "VolumetricProperties"),
    }
)
_PARTS = frozenset({"BREAST", "CHEST", "AXILLA", "ABDOMEN", "PELVIS", "HEAD"})
"""Of the body part, which technicians may type, what is kept."""
_SEQUENCES = frozenset(
    {
        *("ViewCodeSequence", "ViewModifierCodeSequence", "AnatomicRegionSequence"),
        *("VOILUTSequence", "ModalityLUTSequence", "PrimaryAnatomicStructureSequence"),
        *("PixelMeasuresSequence", "FrameVOILUTSequence", "SharedFunctionalGroupsSequence"),
        *("PerFrameFunctionalGroupsSequence", "PixelValueTransformationSequence"),
    }
)
_GONE = frozenset(
    {
        *("PatientState", "DetectorID", "IssueDateOfImagingServiceRequest", "InstanceOriginStatus"),
    }
)
_EMPTY = ("PatientBirthDate", "PatientSex", "AccessionNumber", "StudyID", "ReferringPhysicianName")
_NUMBERS = frozenset({"US", "SS", "UL", "SL", "UV", "SV", "FL", "FD", "DS", "IS", "AT", "TM"})
_OF_IMAGES = frozenset({0x0008, 0x0018, 0x0020, 0x0028, 0x0054, 0x2050, 0x5200, 0x7FE0})
"""Groups of identification, acquisition, relation, presentation and pixels: of others (the patient,
the visit, the procedure, the place) no number stays."""
_PIXELS = frozenset({"PixelData", "LUTData", "LUTDescriptor", "SmallestImagePixelValue"})
_OF_NO_IMAGE = frozenset({0x0010, 0x0016})
"""Groups of the patient, and of the place where a camera stood."""
_CODE_LENGTH = 16


def deidentified(dataset: Dataset, pseudonyms: Pseudonyms) -> Dataset:
    """A copy of the data set with only what may stay, under pseudonyms.

    Raises:
        DataError: If it names no patient, so that nothing tells how far to move its dates.
    """
    patient = str(dataset.get("PatientID") or "").strip()
    if not patient:
        raise DataError("has no PatientID, so its dates cannot be moved as its patient's others")
    made = _cleaned(dataset, pseudonyms, days_of(pseudonyms, patient))
    for keyword in _EMPTY:
        setattr(made, keyword, "")
    made.PatientID = made.PatientName = pseudonyms.name("patient", patient)
    made.PatientIdentityRemoved = "YES"
    made.LongitudinalTemporalInformationModified = "MODIFIED"
    made.DeidentificationMethod = _METHOD
    made.DeidentificationMethodCodeSequence = [_coded(*method) for method in _METHODS]
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = dataset.file_meta.TransferSyntaxUID
    made.file_meta.MediaStorageSOPClassUID = dataset.get("SOPClassUID", "")
    made.file_meta.MediaStorageSOPInstanceUID = made.get("SOPInstanceUID", "")
    made.preamble = b"\0" * 128
    return made


def write_deidentified(
    dataset: Dataset, path: Path, pseudonyms: Pseudonyms, *, burned_in: str | None = None
) -> None:
    """Write the copy, whole or not at all.

    Args:
        dataset: With its pixels.
        path: Of the copy.
        pseudonyms: Of patients and UIDs; they also say how far dates move.
        burned_in: What the copy says of letters in its pixels; None keeps what the header says.

    Raises:
        DataError: If it names no patient, or breaks the standard.
    """
    try:
        made = deidentified(dataset, pseudonyms)
        if burned_in is not None:
            made.BurnedInAnnotation = burned_in
        with atomic(path) as temporary:
            made.save_as(temporary, enforce_file_format=True)
    except BROKEN as error:
        raise DataError(f"its DICOM header is broken ({type(error).__name__})") from None


def days_of(pseudonyms: Pseudonyms, patient: str) -> int:
    """How many days the dates of a patient move back: 1 to 3,650, known to the key alone."""
    return _number(pseudonyms, "days", patient) % _MOST_DAYS + 1


def uid_of(pseudonyms: Pseudonyms, uid: str) -> UID:
    """Another UID in place of one; standard ones (classes, encodings) stay."""
    if not uid or uid.startswith("1.2.840.10008."):
        return UID(uid)
    return UID(f"2.25.{_number(pseudonyms, 'uid', uid)}")


def _number(pseudonyms: Pseudonyms, kind: str, text: str) -> int:
    message = f"{kind}\0{text}".encode("utf-8", "surrogateescape")
    return int.from_bytes(hmac.new(pseudonyms.key, message, hashlib.sha256).digest()[:16], "big")


def _cleaned(dataset: Dataset, pseudonyms: Pseudonyms, days: int) -> Dataset:
    made = Dataset()
    for element in dataset:
        kept = _kept(element, pseudonyms, days)
        if kept is not None:
            made.add(kept)
    return made


def _kept(element: DataElement, pseudonyms: Pseudonyms, days: int) -> DataElement | None:
    """The element as it may stay; None where it may not."""
    name, kind = element.keyword, element.VR
    if (
        not name
        or element.tag.is_private
        or name in _GONE
        or element.tag.group >> 8 in (0x50, 0x60)
        or element.tag.group in _OF_NO_IMAGE
    ):
        return None
    if name in _PIXELS or name in _TEXTS:
        return element
    if name == "CodeMeaning":  # whoever codes may write a name there; a code needs some meaning
        return DataElement(element.tag, "LO", "not kept")
    if name == "BodyPartExamined":
        return element if str(element.value) in _PARTS else None
    match kind:
        case "UI":
            return _changed(element, lambda uid: uid_of(pseudonyms, str(uid)))
        case "DA" | "DT":
            return _changed(element, lambda day: _moved(str(day), days))
        case "SQ" if name in _SEQUENCES:
            inside = [_cleaned(item, pseudonyms, days) for item in element.value]
            return DataElement(element.tag, "SQ", inside)
        case "CS":
            return element if name in _CODES and _is_code(element) else None
    return element if kind in _NUMBERS and element.tag.group in _OF_IMAGES else None


def _is_code(element: DataElement) -> bool:
    """Whether the value is what a code string may be: capitals, digits, blanks, underscores."""
    values = element.value if element.VM > 1 else [element.value]
    return all(
        len(str(one)) <= _CODE_LENGTH and str(one).replace("_", "").replace(" ", "").isalnum()
        for one in values
        if one
    )


def _changed(element: DataElement, change: object) -> DataElement:
    values = element.value if element.VM > 1 else [element.value]
    new = [change(value) for value in values if value]  # type: ignore[operator]
    value = new if len(new) > 1 else new[0] if new else ""
    return DataElement(element.tag, element.VR, value)


def _moved(text: str, days: int) -> str:
    """The day so much earlier; a time of day behind it stays, what is no day goes."""
    day = parsed_date(text[:8])
    if day is None:
        return ""
    return (day - timedelta(days=days)).strftime("%Y%m%d") + text[8:]


def _coded(value: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodeMeaning, item.CodingSchemeDesignator = value, meaning, "DCM"
    return item
