from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.datadict import DicomDictionary

from sequela.errors import DataError
from sequela.importers.deidentified import _CODES, _TEXTS, days_of, deidentified, uid_of
from sequela.importers.dicom_file import read_dicom
from sequela.importers.dicom_header import parsed_date, read_header
from sequela.importers.pseudonyms import Pseudonyms
from sequela.simulation.hostile import ordinary

KEYED = Pseudonyms(b"k" * 32)


@pytest.fixture
def original(tmp_path: Path) -> Dataset:
    ordinary(tmp_path / "one.dcm")
    return read_dicom(tmp_path / "one.dcm", pixels=True)


def test_the_copy_shows_the_same_image_of_another_name(original: Dataset, tmp_path: Path) -> None:
    made = deidentified(original, KEYED)
    made.save_as(tmp_path / "copy.dcm", enforce_file_format=True)
    copy = dcmread(tmp_path / "copy.dcm")
    np.testing.assert_array_equal(copy.pixel_array, original.pixel_array)
    header = read_header(tmp_path / "copy.dcm")
    before = read_header(tmp_path / "one.dcm")
    assert (header.side, header.view) == (before.side, before.view)  # type: ignore[union-attr]
    assert copy.PatientID == KEYED.name("patient", original.PatientID)
    assert copy.PatientIdentityRemoved == "YES"
    assert copy.LongitudinalTemporalInformationModified == "MODIFIED"
    codes = [item.CodeValue for item in copy.DeidentificationMethodCodeSequence]
    assert codes == ["113100", "113107"]


def test_dates_move_by_days_of_the_patients_own_and_uids_map_alike(original: Dataset) -> None:
    made = deidentified(original, KEYED)
    days = days_of(KEYED, str(original.PatientID))
    assert 1 <= days <= 3650
    before, after = parsed_date(original.StudyDate), parsed_date(made.StudyDate)
    assert before is not None
    assert after == before - timedelta(days=days)
    assert made.PatientBirthDate == ""
    assert made.StudyInstanceUID == uid_of(KEYED, str(original.StudyInstanceUID))
    assert made.StudyInstanceUID != original.StudyInstanceUID
    assert made.SOPClassUID == original.SOPClassUID
    other = Pseudonyms(b"j" * 32)
    assert days_of(other, "p") != days_of(KEYED, "p")


def test_private_elements_overlays_texts_and_strange_codes_go(original: Dataset) -> None:
    original.private_block(0x0047, "X", create=True).add_new(1, "LO", "secret")
    original.add_new(0x60000022, "LO", "secret")
    original.ImageComments = "secret"
    original.BodyPartExamined = "JANE^ROE"
    made = deidentified(original, KEYED)
    assert "secret" not in str(made)
    assert "JANE" not in str(made)
    assert not [element for element in made if element.tag.is_private]


def filled(keyword: str, kind: str) -> object:
    """A value of an element that would give a patient away."""
    if kind in ("DA", "DT"):
        return "19471104"
    if kind == "SQ":
        inside = Dataset()
        inside.PatientComments = "CANARY"
        return [inside]
    words = {"UI": "1.2.826.0.1.4711", "AS": "047Y", "TM": "231547", "DS": "47.114711", "AT": 4711}
    words |= {"CS": "CANARY", "IS": "4711471", "UR": "http://CANARY"}
    if kind in ("OB", "OW", "OD", "OF", "OL", "OV", "UN"):
        return b"CANARY  "
    if kind in ("US", "SS", "UL", "SL", "UV", "SV", "FL", "FD"):
        return 4711
    return words.get(kind, "CANARY")


STANDARD = {
    *("GPSLatitude", "GPSLongitude", "GPSLatitudeRef", "GPSDestLatitude", "GPSAltitude"),
    *("GPSDateStamp", "GPSTimeStamp", "GPSStatus", "GPSDifferential", "InstanceOriginStatus"),
    *("PatientAge", "PatientSize", "PatientWeight", "PatientSexNeutered", "SmokingStatus"),
    *("PregnancyStatus", "PatientBirthTime", "LastMenstrualDate", "TimezoneOffsetFromUTC"),
    *("PatientState", "FrameOriginTimestamp", "FlowIdentifier", "DetectorID", "IconImageSequence"),
    *("RequestAttributesSequence", "OriginalAttributesSequence", "UDISequence", "ContentSequence"),
}
"""Of Table E.1-1 (PS3.15), what a list of text types alone would let through."""


def test_of_every_element_that_the_standard_knows_only_what_is_listed_stays(
    original: Dataset,
) -> None:
    whole = Dataset()
    for tag, (kind, _, _, _, keyword) in DicomDictionary.items():
        if keyword and tag >> 16 not in (0x0000, 0x0002, 0x0004, 0x7FE0) and " or " not in kind:
            whole.add_new(tag, kind, filled(keyword, kind))
    assert len(whole) > 4000
    assert {keyword for keyword in STANDARD if keyword not in whole} == set()
    for keyword in ("PatientID", "SOPInstanceUID", "SOPClassUID"):
        setattr(whole, keyword, getattr(original, keyword))
    whole.file_meta = original.file_meta
    made = deidentified(whole, KEYED)
    assert {element.keyword for element in made} & STANDARD == set()
    told = {element.keyword: str(element.value) for element in made if element.VR != "SQ"}
    assert {name for name, value in told.items() if "CANARY" in value} <= _TEXTS | _CODES
    assert not [name for name, value in told.items() if value == "1.2.826.0.1.4711"]
    assert not [name for name, value in told.items() if "19471104" in value]
    left = {element.tag.group for element in made if str(element.value) in ("4711", "47.114711")}
    assert left <= {0x0008, 0x0018, 0x0020, 0x0028, 0x0054, 0x2050, 0x5200}
    assert "PatientComments" not in str(made)


def test_what_people_type_into_codes_and_meanings_does_not_stay(original: Dataset) -> None:
    original.BodyPartExamined = "JANE ROE"
    original.ViewCodeSequence[0].CodeMeaning = "JANE ROE"
    original.WindowCenterWidthExplanation = "JANE ROE"
    original.GPSLatitude = 52.3702
    made = deidentified(original, KEYED)
    assert "ROE" not in str(made)
    assert "52.37" not in str(made)
    assert made.ViewCodeSequence[0].CodeValue == original.ViewCodeSequence[0].CodeValue
    assert "BREAST" in str(deidentified(_with(original, "BREAST"), KEYED))


def _with(dataset: Dataset, part: str) -> Dataset:
    dataset.BodyPartExamined = part
    return dataset


def test_a_file_of_nobody_is_refused(original: Dataset) -> None:
    original.PatientID = ""
    with pytest.raises(DataError, match="no PatientID"):
        deidentified(original, KEYED)
