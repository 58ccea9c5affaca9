from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, dcmread

from sequela.errors import DataError
from sequela.importers.deidentified import days_of, deidentified, uid_of
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


def test_a_file_of_nobody_is_refused(original: Dataset) -> None:
    original.PatientID = ""
    with pytest.raises(DataError, match="no PatientID"):
        deidentified(original, KEYED)
