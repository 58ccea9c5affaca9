"""Canaries of the 18 HIPAA classes go in by every door, and come out by none."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import polars as pl
import pytest
import yaml
from pydicom import Dataset, dcmread
from spoken import speak

from sequela.knowledge.reading import shown
from sequela.traces import traced, traces

sys.path.insert(0, str(Path(__file__).parents[1] / "knowledge"))

from stub_server import serving

CANARIES = {
    "name": "Canaryname^Jane",
    "place": "17 Canary Street",
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


NOTE = (
    "Patient name: {name}, {place}. Date of birth: {date}. Tel {telephone}, fax {fax}, {e-mail}. "
    "SSN: {social security}. MRN: {record number}. Health plan: {health plan}. Account: {account}. "
    "Licence: {licence}. Vehicle: {vehicle}. Device: {device}. {URL} from {IP address}. "
    "Fingerprint: {biometric}. Photo: {photograph}. Case: {other number}. "
    "Ductal carcinoma of the left breast, grade 2, tumour size 2.1 cm, pT2 N0 MX, margins free."
)
"""As hospitals write them: behind labels, or of a form of their own."""


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


SOUGHT = (*CANARIES.values(), "Canaryname", "canary.example", "CANARY-")
"""The values, and parts of them that a vocabulary or a page might keep."""


def assert_silent(text: str) -> None:
    assert traced(text, SOUGHT) == ""


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
    texts = pl.read_csv(copied / "texts.csv", infer_schema=False)
    kept = pl.col("text_id").cum_count().over("patient_id") > 1
    note = pl.concat_str(pl.lit(NOTE.format(**CANARIES)), pl.col("text"), separator="\n")
    known = texts["patient_id"].unique().sort()[::8]  # a canary of everybody's would be a word
    chosen = pl.col("patient_id").is_in(known.to_list())
    texts.with_columns(
        text=pl.when(chosen).then(note).otherwise("text"),
        kind=pl.when(chosen & ~kept).then(pl.lit("pathology report")).otherwise("kind"),
    ).write_csv(copied / "texts.csv")
    manifest = yaml.safe_load((copied / "cohort.yaml").read_text())
    (copied / "cohort.yaml").write_text(yaml.safe_dump({**manifest, "synthetic": False}))
    return copied


def test_no_canary_leaves_by_the_walk(planted: Path) -> None:
    assert len(list(traces(planted, CANARIES.values()))) > 10
    with serving("good") as (url, stub):
        for words in (
            ("check", planted),
            ("audit", planted),
            ("prepare", planted),
            ("pretrain", planted),
            ("train", planted, "-v", "lumin", "-v", "cox-text"),
            ("predict", planted),
            ("evaluate", planted),
            ("explain", planted, "--variant", "lumin"),
            ("knowledge", "refine", planted),
            ("knowledge", "review", planted, "--out", planted / "work" / "review.csv"),
            ("knowledge", "refine", planted, "--model", "stub", "--url", url, "--until", 9999),
            ("knowledge", "review", planted, "--out", planted / "work" / "again.csv"),
            ("report", planted),
        ):
            said = speak(*words)
            assert said.code == 0 or words[0] == "audit", said.all
            assert_silent(said.all)
    assert (planted / "work" / "report.html").exists()
    assert list(traces(planted / "work", SOUGHT)) == []
    assert len(stub.requests) > 1
    assert_silent(json.dumps(stub.requests))
    assert json.dumps(stub.requests).count("Ductal carcinoma") == len(stub.requests)


def test_a_prompt_shows_no_identifier_of_any_class() -> None:
    note = NOTE.format(**CANARIES)
    parts = ("Canaryname", "Jane", "Canary", "4711", "5550147", "31-20", "example", "947", "FINGER")
    assert all(part in note for part in parts)
    assert [part for part in (*CANARIES.values(), *parts) if part in shown(note)] == []
    assert "pT2 N0 MX" in shown(note)


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
    tables = {path.name for path in (tmp_path / "cohort").iterdir() if path.is_file()}
    assert tables >= {"patients.csv", "exams.csv", "images.csv", "import-report.csv"}
    assert len(list((tmp_path / "cohort").rglob("*.dcm"))) == 4
    assert list(traces(tmp_path / "cohort", SOUGHT)) == []


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
    assert list(traces(out, SOUGHT)) == []
    assert len(list(out.rglob("*.dcm"))) == 3
