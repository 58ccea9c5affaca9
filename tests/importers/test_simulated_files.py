"""Files with exactly one trouble each, and a whole simulated cohort read back."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from sequela.errors import SequelaError
from sequela.importers.dicom import import_dicom
from sequela.importers.dicom_header import Mammogram, NotTaken, read_header
from sequela.modalities.mammogram import PixelPolicy, prepare_image
from sequela.simulation.cohort import simulate
from sequela.simulation.hostile import TROUBLES, ordinary
from sequela.simulation.settings import MammogramSettings, SimulationSettings

POLICY = PixelPolicy(size=32)

AT_IMPORT = {
    "truncated-header": "set aside",
    "empty": "unreadable",
    "not-dicom": "unreadable",
    "for-processing": "refused",
    "tomosynthesis": "set aside",
    "other-modality": "set aside",
    "mediolateral-view": "set aside",
    "lateromedial-view": "set aside",
    "spot-view": "set aside",
    "magnification-view": "set aside",
    "unknown-view": "set aside",
    "unknown-side": "set aside",
    "both-sides": "set aside",
}
AT_PREPARATION = {
    "truncated": "is truncated",
    "truncated-jpeg": "is truncated",
    "without-pixels": "PixelData is missing",
    "garbage-pixels": "not in the encoding that the header names",
    "enormous": "10000 × 10000 × 1 pixels, more than any mammogram",
    "enormous-jpeg": "10000 × 10000 × 1 pixels, more than any mammogram",
    "deflate-bomb": "10000 × 10000 × 1 pixels, more than any mammogram",
}
REMARKS = {
    "without-preamble": (),
    "implant": ("shows an implant",),
    "implant-displaced-view": ("shows the breast with its implant displaced",),
}


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", TROUBLES)
def test_every_trouble_is_met_where_it_shows(name: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    TROUBLES[name](path)
    header = read_header(path)
    if name in AT_IMPORT:
        assert isinstance(header, NotTaken)
        assert header.status == AT_IMPORT[name]
        if name == "for-processing":  # also where a table was made by hand
            with pytest.raises(SequelaError, match="is For Processing"):
                prepare_image(path, POLICY)
        return
    assert isinstance(header, Mammogram)
    assert (header.side, header.view) == ("R", "CC")
    assert header.remarks == REMARKS.get(name, ())
    if name in REMARKS:
        assert prepare_image(path, POLICY)[0].max() > 50
    else:
        with pytest.raises(SequelaError, match=AT_PREPARATION[name]):
            prepare_image(path, POLICY)


def test_a_file_without_trouble_is_taken(tmp_path: Path) -> None:
    ordinary(tmp_path / "file")
    header = read_header(tmp_path / "file")
    assert isinstance(header, Mammogram)
    pixels, quality = prepare_image(tmp_path / "file", POLICY)
    assert (header.side, quality.chest_wall, quality.warnings) == ("R", "right", ())
    assert pixels.max() > 50


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.usefixtures("in_process")
def test_a_simulated_cohort_is_read_back_as_it_was_drawn(tmp_path: Path) -> None:
    drawn, out = tmp_path / "drawn", tmp_path / "read"
    small = MammogramSettings(height=64, width=64)
    simulate(SimulationSettings(patients=5, mammogram=small), drawn)
    report = import_dicom(drawn / "dicom", out, transfer="link", workers=1)
    exams = {exam["exam_id"]: exam for exam in table(drawn / "exams.csv")}
    first: dict[str, float] = {}
    for exam in exams.values():
        day = float(exam["day"])
        first[exam["patient_id"]] = min(day, first.get(exam["patient_id"], day))
    expected = {
        (drawn / image["path"]).stat().st_ino: (
            image["side"],
            image["view"],
            float(exam["day"]) - first[exam["patient_id"]],
        )
        for image in table(drawn / "images.csv")
        for exam in [exams[image["exam_id"]]]
    }
    days = {exam["exam_id"]: float(exam["day"]) for exam in table(out / "exams.csv")}
    found = {
        (out / image["path"]).stat().st_ino: (image["side"], image["view"], days[image["exam_id"]])
        for image in table(out / "images.csv")
    }
    assert found == expected
    assert report.counts["patients"] == 5
    assert not report.findings
    for image in table(out / "images.csv")[:16]:
        pixels, quality = prepare_image(out / image["path"], POLICY)
        assert quality.chest_wall == ("left" if image["side"] == "L" else "right")
        assert pixels.max() > 50
