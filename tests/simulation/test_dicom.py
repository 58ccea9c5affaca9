from pathlib import Path

import imagecodecs
import numpy as np
import pydicom
import pytest
from pydicom.encaps import generate_frames
from pydicom.pixels import apply_voi_lut
from pydicom.uid import DigitalMammographyXRayImageStorageForPresentation

from sequela.simulation.dicom import (
    Acquisition,
    mammogram,
    vendor_of,
    write_mammogram,
)
from sequela.simulation.mammograms import intended_display, planned_images, write_images
from sequela.simulation.patients import SimulatedPatient, draw_patient
from sequela.simulation.settings import (
    DISPLAYS,
    TRANSFER_SYNTAXES,
    MammogramSettings,
    SimulationSettings,
)
from sequela.simulation.stored import stored_pixels

SETTINGS = SimulationSettings(mammogram=MammogramSettings(height=96, width=80))

# PS3.3 A.26.3, A.27.3 with the modules' tables: elements that must have a value (type 1).
TYPE_1 = [
    "SOPClassUID",
    "SOPInstanceUID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "Modality",
    "PresentationIntentType",
    "ImageType",
    "ImageLaterality",
    "PatientOrientation",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "PixelIntensityRelationship",
    "PixelIntensityRelationshipSign",
    "RescaleIntercept",
    "RescaleSlope",
    "RescaleType",
    "PresentationLUTShape",
    "LossyImageCompression",
    "BurnedInAnnotation",
    "ImagerPixelSpacing",
    "PixelSpacing",
    "PositionerType",
    "OrganExposed",
    "ViewCodeSequence",
    "AnatomicRegionSequence",
    "PixelData",
]
# Elements that must be there and may be empty (type 2).
TYPE_2 = [
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "ReferringPhysicianName",
    "StudyID",
    "AccessionNumber",
    "SeriesNumber",
    "InstanceNumber",
    "Manufacturer",
    "DetectorType",
    "AcquisitionContextSequence",
]


def patients() -> list[SimulatedPatient]:
    """Patients of every hospital, each with an exam."""
    everyone = (draw_patient(SETTINGS, number) for number in range(100))
    seen = {patient.site: patient for patient in everyone if patient.days}
    return [seen[site] for site in sorted(seen)]


def written(folder: Path, patient: SimulatedPatient, taken: Acquisition) -> pydicom.FileDataset:
    pixels = pixels_of(patient, taken)
    write_mammogram(mammogram(patient, taken, pixels), taken.syntax, folder / "image.dcm")
    return pydicom.dcmread(folder / "image.dcm")


def pixels_of(patient: SimulatedPatient, taken: Acquisition) -> np.ndarray:
    brightness = intended_display(SETTINGS, patient, taken)
    return stored_pixels(brightness, taken.display, vendor_of(patient).detector)


def decoded(dataset: pydicom.FileDataset) -> np.ndarray:
    """The pixels by pydicom, or by imagecodecs where pydicom has no decoder here."""
    frame = dataset.file_meta.TransferSyntaxUID.name
    if "JPEG-LS" in frame:
        return imagecodecs.jpegls_decode(next(generate_frames(dataset.PixelData)))
    if "JPEG Lossless" in frame:
        return imagecodecs.jpegsof3_decode(next(generate_frames(dataset.PixelData)))
    return dataset.pixel_array


@pytest.mark.parametrize("patient", patients(), ids=lambda patient: vendor_of(patient).name)
@pytest.mark.parametrize("syntax", TRANSFER_SYNTAXES)
def test_a_file_gives_back_the_pixels_that_were_meant(
    syntax: str, patient: SimulatedPatient, tmp_path: Path
) -> None:
    taken = Acquisition(0, patient.side, "MLO", 1, syntax, "linear-inverted")
    dataset = written(tmp_path, patient, taken)
    np.testing.assert_array_equal(decoded(dataset), pixels_of(patient, taken))


@pytest.mark.parametrize("patient", patients(), ids=lambda patient: vendor_of(patient).name)
@pytest.mark.parametrize("display", DISPLAYS)
def test_required_attributes_are_there(
    display: str, patient: SimulatedPatient, tmp_path: Path
) -> None:
    taken = Acquisition(0, patient.side, "CC", 1, "implicit", display)
    dataset = written(tmp_path, patient, taken)
    assert dataset.SOPClassUID == DigitalMammographyXRayImageStorageForPresentation
    for name in TYPE_1:
        assert name in dataset, name
        assert not dataset[name].is_empty, name
    assert [name for name in TYPE_2 if name not in dataset] == []
    assert ("VOILUTSequence" in dataset) != ("WindowCenter" in dataset)
    assert "ViewModifierCodeSequence" in dataset.ViewCodeSequence[0]
    inverse = dataset.PhotometricInterpretation == "MONOCHROME1"
    assert dataset.PresentationLUTShape == ("INVERSE" if inverse else "IDENTITY")
    assert dataset.PixelIntensityRelationshipSign == (1 if inverse else -1)
    assert (dataset.RescaleSlope, dataset.RescaleIntercept, dataset.RescaleType) == (1, 0, "US")
    assert dataset.HighBit == dataset.BitsStored - 1


@pytest.mark.parametrize("patient", patients(), ids=lambda patient: vendor_of(patient).name)
@pytest.mark.parametrize("syntax", ["implicit", "explicit"])
@pytest.mark.parametrize("display", DISPLAYS)
def test_a_viewer_shows_the_brightness_that_was_meant(
    display: str, syntax: str, patient: SimulatedPatient, tmp_path: Path
) -> None:
    taken = Acquisition(0, patient.side, "CC", 1, syntax, display)
    dataset = written(tmp_path, patient, taken)
    bits = 16 if "VOILUTSequence" in dataset else dataset.BitsStored
    values = apply_voi_lut(dataset.pixel_array, dataset) / (2**bits - 1)
    if dataset.PhotometricInterpretation == "MONOCHROME1":
        values = 1 - values
    difference = values - intended_display(SETTINGS, patient, taken)
    assert np.abs(difference).max() < (0.005 if "sigmoid" in display else 0.0015)


def test_dates_are_as_far_apart_as_the_exams(tmp_path: Path) -> None:
    patient = next(person for person in patients() if len(person.days) > 1)
    first, last = (
        written(tmp_path, patient, Acquisition(exam, "L", "CC", 1, "explicit", "linear")).StudyDate
        for exam in (0, len(patient.days) - 1)
    )
    apart = pydicom.valuerep.DA(last) - pydicom.valuerep.DA(first)
    assert apart.days == patient.days[-1] - patient.days[0]


def test_names_of_images_are_unique(tmp_path: Path) -> None:
    files = [
        pydicom.dcmread(tmp_path / row.path, stop_before_pixels=True)
        for patient in patients()
        for row in write_images(SETTINGS, patient, tmp_path)
    ]
    assert len({file.SOPInstanceUID for file in files}) == len(files)
    exams = {file.StudyInstanceUID for file in files}
    assert len(exams) == sum(len(patient.days) for patient in patients())


def test_the_breast_lies_at_the_side_that_the_orientation_says(tmp_path: Path) -> None:
    for patient in patients():
        for taken in planned_images(SETTINGS, patient):
            brightness = intended_display(SETTINGS, patient, taken)
            left, right = brightness[:, :20].mean(), brightness[:, -20:].mean()
            anterior_is_right = written(tmp_path, patient, taken).PatientOrientation[0] == "A"
            assert (left > right) == anterior_is_right == (taken.side == "L")


def test_the_cohort_cycles_through_every_encoding_and_display() -> None:
    taken = [
        image
        for number in range(40)
        for image in planned_images(SETTINGS, draw_patient(SETTINGS, number))
    ]
    assert {image.syntax for image in taken} == set(TRANSFER_SYNTAXES)
    assert {image.display for image in taken} == set(DISPLAYS)
