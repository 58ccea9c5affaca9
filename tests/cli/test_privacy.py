"""Canaries of the 18 HIPAA classes go in by every door, and come out by none."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from pydicom import Dataset, dcmread
from spoken import speak

from sequela.traces import traced, traces

CANARIES = {
    "name": "Canaryname^Jane",
    "place": "17 Canarystreet",
    "date": "19471104",
    "telephone": "+31-20-5550147",
    "fax": "+31-20-5550148",
    "e-mail": "jane@canary.example",
    "social security": "947-65-4711",
    "record number": "MRN-CANARY-4711",
    "health plan": "PLAN-CANARY-88",
    "account": "ACCT-CANARY-99",
    "licence": "LIC-CANARY-31",
    "vehicle": "CAN-4711-RY",
    "device": "SERIAL-CANARY-5",
    "URL": "http://canary.example/jane",
    "IP address": "198.51.100.247",
    "biometric": "FINGER-CANARY-1",
    "photograph": "canary-face.jpg",
    "other number": "1.2.826.0.1.4711.4711.1",
}


def plant(path: Path) -> None:
    """Into standard, private and nested elements and UIDs."""
    dataset = dcmread(path)
    dataset.PatientName, dataset.OtherPatientIDs = CANARIES["name"], CANARIES["health plan"]
    dataset.PatientAddress = CANARIES["place"]
    dataset.PatientTelephoneNumbers = CANARIES["telephone"]
    dataset.PatientBirthDate = CANARIES["date"]
    dataset.DeviceSerialNumber = CANARIES["device"]
    dataset.StudyInstanceUID = CANARIES["other number"]
    dataset.AccessionNumber = CANARIES["vehicle"]
    inside = Dataset()
    inside.PatientID, inside.PatientComments = CANARIES["record number"], CANARIES["e-mail"]
    inside.AdmissionID = CANARIES["account"]
    dataset.ReferencedPatientSequence = [inside]
    block = dataset.private_block(0x0047, "CANARY", create=True)
    rest = ("fax", "social security", "licence", "URL", "IP address", "biometric", "photograph")
    for place, kind in enumerate(rest):
        block.add_new(place, "LO", CANARIES[kind])
    dataset.save_as(path)


def assert_silent(text: str) -> None:
    assert traced(text, CANARIES.values()) == ""


@pytest.fixture
def planted(copied: Path) -> Path:
    """The tiny cohort with canaries in its files, their names, and columns nobody declared."""
    images = pl.read_csv(copied / "images.csv", infer_schema=False)
    renamed = []
    for number, path in enumerate(images["path"]):
        plant(copied / path)
        new = f"dicom/{CANARIES['record number']} {number}.dcm"
        (copied / path).rename(copied / new)
        renamed.append(new)
    images.with_columns(pl.Series("path", renamed)).write_csv(copied / "images.csv")
    patients = pl.read_csv(copied / "patients.csv", infer_schema=False)
    extra = [pl.lit(value).alias(kind) for kind, value in CANARIES.items()]
    patients.with_columns(extra).write_csv(copied / "patients.csv")
    return copied


def test_no_canary_leaves_by_the_walk(planted: Path) -> None:
    assert len(list(traces(planted, CANARIES.values()))) > 10
    for words in (
        ("check", planted),
        ("audit", planted),
        ("prepare", planted),
        ("train", planted, "-v", "resnet50", "-v", "cox-clinical"),
        ("predict", planted),
        ("evaluate", planted),
        ("explain", planted, "--variant", "resnet50"),
        ("knowledge", "refine", planted),
        ("report", planted),
    ):
        said = speak(*words)
        assert said.code == 0 or words[0] in ("audit", "knowledge"), said.all
        assert_silent(said.all)
    assert (planted / "work" / "report.html").exists()
    assert list(traces(planted / "work", CANARIES.values())) == []


def test_no_canary_leaves_by_an_import(simulated: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for number, path in enumerate(sorted((simulated / "dicom").rglob("*.dcm"))[:4]):
        copy = source / f"{CANARIES['name']} {number}.dcm"
        copy.write_bytes(path.read_bytes())
        plant(copy)
    said = speak("import", "dicom", source, "--out", tmp_path / "cohort")
    assert said.code == 0, said.all
    assert_silent(said.all)
    tables = [path for path in (tmp_path / "cohort").iterdir() if path.is_file()]
    assert {"patients.csv", "exams.csv", "images.csv"} <= {path.name for path in tables}
    for path in tables:
        if path.name != "import-report.csv":  # it names files as their folder does
            assert_silent(path.read_text())


def test_no_canary_is_in_a_deidentified_copy(simulated: Path, tmp_path: Path) -> None:
    source, out = tmp_path / CANARIES["social security"], tmp_path / "out"
    source.mkdir()
    for number, path in enumerate(sorted((simulated / "dicom").rglob("*.dcm"))[:3]):
        (source / f"{CANARIES['name']} {number}.dcm").write_bytes(path.read_bytes())
        plant(source / f"{CANARIES['name']} {number}.dcm")
    (source / "notes.txt").write_text(CANARIES["e-mail"])
    (source / "link").symlink_to("/etc/passwd")
    said = speak("deidentify", source, "--out", out, "--key", tmp_path / "key")
    assert said.code == 0, said.all
    assert "3 file(s) copied" in said.out
    assert_silent(said.all)
    assert list(traces(out, CANARIES.values())) == []
    assert len(list(out.rglob("*.dcm"))) == 3
