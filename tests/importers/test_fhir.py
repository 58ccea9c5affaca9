from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from sequela.cohort.cohort import read_cohort
from sequela.errors import DataError, ResourceLimitError, UsageError
from sequela.importers import fhir, fhir_bundle
from sequela.importers.fhir import import_fhir, read_record
from sequela.importers.fhir_notes import Statement, notes_by_day, parsed_day
from sequela.importers.index_dates import read_index_dates
from sequela.workers import Done

PATIENT: dict[str, Any] = {
    "resourceType": "Patient",
    "id": "smart-77",
    "identifier": [
        {"type": {"coding": [{"code": "SS"}]}, "value": "123-45-6789"},
        {"type": {"coding": [{"code": "MR"}]}, "value": "MRN4711"},
    ],
    "name": [{"family": "Quux", "given": ["Janet", "B."]}],
    "birthDate": "1950-06-01",
    "address": [{"line": ["7 Elm Street"], "city": "Zanesville", "postalCode": "43701"}],
    "telecom": [{"value": "555-0100"}],
}
IDENTIFYING = ("Quux", "Janet", "MRN4711", "smart-77", "1950", "Zanesville", "43701", "555-0100")


def condition(words: str, day: str, **more: Any) -> dict[str, Any]:
    return {"resourceType": "Condition", "code": {"text": words}, "onsetDateTime": day, **more}


def observation(name: str, day: str, **value: Any) -> dict[str, Any]:
    category = {"coding": [{"code": "laboratory"}]}
    return {
        "resourceType": "Observation",
        "category": [category],
        "code": {"text": name},
        "effectiveDateTime": day,
        **value,
    }


RESOURCES = [
    condition("Essential hypertension", "2003-05-06"),
    condition("Malignant neoplasm of breast (disorder)", "2010-03-01T10:00:00Z"),
    condition("Malignant neoplasm of lung", "2009-01-01", verificationStatus="refuted"),
    {
        "resourceType": "Procedure",
        "code": {"coding": [{"display": "Lumpectomy of breast"}]},
        "performedPeriod": {"start": "2010-03-20"},
    },
    {
        "resourceType": "MedicationRequest",
        "medicationCodeableConcept": {"text": "Anastrozole 1 MG"},
        "authoredOn": "2010-03-20",
    },
    observation(
        "Haemoglobin",
        "2010-03-20",
        valueQuantity={"value": 9.50, "unit": "g/dL"},
        referenceRange=[{"low": {"value": 12}, "high": {"value": 16}}],
    ),
    observation("Remark", "2010-03-20", valueString="Seen by Janet Quux's sister"),
    observation("Without a day", "", valueString="x"),
    {"resourceType": "DocumentReference", "description": "Dear Mrs Quux"},
]


def bundle_file(folder: Path, resources: list[Any], name: str = "one.json") -> Path:
    path = folder / name
    entries = [{"resource": resource} for resource in resources]
    path.write_text(json.dumps({"resourceType": "Bundle", "entry": entries}))
    return path


def as_xml(resource: Any) -> str:
    def element(name: str, value: Any) -> str:
        if isinstance(value, list):
            return "".join(element(name, item) for item in value)
        if isinstance(value, dict):
            return f"<{name}>" + "".join(element(*item) for item in value.items()) + f"</{name}>"
        escaped = str(value).replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
        return f'<{name} value="{escaped}"/>'

    kind = resource["resourceType"]
    inside = {name: value for name, value in resource.items() if name != "resourceType"}
    return element(kind, inside)


def xml_file(folder: Path, resources: list[Any], prolog: str = "") -> Path:
    entries = "".join(
        f"<entry><resource>{as_xml(resource)}</resource></entry>" for resource in resources
    )
    path = folder / "one.xml"
    path.write_text(f'{prolog}<Bundle xmlns="http://hl7.org/fhir">{entries}</Bundle>')
    return path


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reads sound bundles without the cost of a new interpreter."""

    def each(function: Any, tasks: Any, **_: Any) -> Iterator[Done[Any]]:
        for index, task in enumerate(tasks):
            yield Done(index, function(*task), 0.0)

    monkeypatch.setattr(fhir, "each", each)


def test_a_day_of_structured_fields_becomes_a_note(tmp_path: Path) -> None:
    record = read_record(bundle_file(tmp_path, [PATIENT, *RESOURCES]), {})
    assert record.index == date(2010, 3, 1)
    assert record.age == 59
    assert record.identifier == "MRN4711"
    assert record.notes == {
        0: "Diagnosed: Malignant neoplasm of breast (disorder).",
        19: (
            "Procedures: Lumpectomy of breast. Medication prescribed: Anastrozole 1 MG. "
            "Laboratory: Haemoglobin 9.5 g/dL (low); Remark Seen by [removed] [removed]'s sister."
        ),
    }
    assert record.remarks == (
        "Observation without a date",
        "DocumentReference not used",
        "note more than five years before the index date",
    )


def test_a_note_says_each_value_once_and_its_headings_in_one_order() -> None:
    day = date(2020, 1, 1)
    said = [("Laboratory", "CEA 3"), ("Diagnosed", "a"), ("Diagnosed", "b."), ("Diagnosed", "a.")]
    notes = notes_by_day([Statement(day, heading, words) for heading, words in said])
    assert notes == {day: "Diagnosed: a; b. Laboratory: CEA 3."}


def test_xml_and_json_say_the_same(tmp_path: Path) -> None:
    resources = [PATIENT, *RESOURCES]
    from_json = read_record(bundle_file(tmp_path, resources), {})
    assert read_record(xml_file(tmp_path, resources), {}) == from_json


@pytest.mark.usefixtures("in_this_process")
def test_nothing_that_identifies_is_written(tmp_path: Path) -> None:
    out = tmp_path / "cohort"
    report = import_fhir(bundle_file(tmp_path, [PATIENT, *RESOURCES]), out, workers=1)
    assert report.counts == {"patients": 1, "texts": 2}
    written = "".join(path.read_text() for path in out.iterdir())
    assert len(written) > 200
    for word in (*IDENTIFYING, "2010-03", "123-45"):
        assert word not in written
    assert not any(word in message for message in report.messages for word in IDENTIFYING)
    beside = sorted(path.name for path in tmp_path.glob("cohort-*"))
    assert beside == [
        "cohort-pseudonyms-fhir-links.csv",
        "cohort-pseudonyms-files.csv",
        "cohort-pseudonyms-index-dates.csv",
        "cohort-pseudonyms.key",
    ]
    for name in beside:
        assert (tmp_path / name).stat().st_mode & 0o077 == 0
    dates = read_index_dates(tmp_path / "cohort-pseudonyms-index-dates.csv")
    assert dates == {"MRN4711": date(2010, 3, 1)}


def test_an_index_date_may_be_given(tmp_path: Path) -> None:
    path = bundle_file(tmp_path, [PATIENT, *RESOURCES])
    record = read_record(path, {"MRN4711": date(2010, 3, 11)})
    assert sorted(record.notes) == [-10, 9]


@pytest.mark.usefixtures("in_this_process")
def test_patients_of_another_import_are_kept(tmp_path: Path) -> None:
    out = tmp_path / "cohort"
    first = bundle_file(tmp_path, [PATIENT, *RESOURCES])
    import_fhir(first, out, workers=1)
    name = pl.read_csv(out / "patients.csv")["patient_id"][0]
    (out / "texts.csv").unlink()
    (out / "patients.csv").write_text(f"patient_id,vendor\npother,X\n{name},Y\n")
    import_fhir(first, out, workers=1)
    table = pl.read_csv(out / "patients.csv").sort("vendor")
    assert table.rows() == [("pother", "X", None), (name, "Y", 59)]


def test_texts_or_exams_that_are_there_are_not_mixed_with(tmp_path: Path) -> None:
    path = bundle_file(tmp_path, [PATIENT, *RESOURCES])
    for name in ("texts.csv", "exams.csv"):
        out = tmp_path / name[:-4]
        out.mkdir()
        (out / name).touch()
        with pytest.raises(UsageError):
            import_fhir(path, out, workers=1)


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2010-03-01", date(2010, 3, 1)),
        ("2010-03-01T23:00:00+02:00", date(2010, 3, 1)),
        ("2012-02", date(2012, 2, 29)),
        ("2010", date(2010, 12, 31)),
        ("2010-13", None),
        ("2010-02-30", None),
        ("spring", None),
        ("", None),
    ],
)
def test_a_date_that_is_not_whole_is_taken_late(text: str, day: date | None) -> None:
    assert parsed_day(text) == day


LAUGHS = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'
OUTSIDE = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/hostname">]>'


@pytest.mark.parametrize("prolog", [LAUGHS, OUTSIDE, "<!DOCTYPE Bundle>"])
def test_a_document_type_is_refused(tmp_path: Path, prolog: str) -> None:
    with pytest.raises(DataError, match="document type"):
        read_record(xml_file(tmp_path, [PATIENT, *RESOURCES], prolog), {})


def test_a_bundle_beyond_measure_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "deep.xml"
    path.write_text("<a>" * 100_000)
    with pytest.raises(ResourceLimitError, match="deeper"):
        read_record(path, {})
    path = tmp_path / "deep.json"
    path.write_text("[" * 100_000)
    with pytest.raises(DataError):
        read_record(path, {})
    monkeypatch.setattr(fhir_bundle, "LARGEST", 10)
    with pytest.raises(ResourceLimitError, match="larger"):
        read_record(path, {})


@pytest.mark.parametrize(
    "resources",
    [
        RESOURCES,
        [PATIENT, PATIENT, *RESOURCES],
        [PATIENT],
        [{"resourceType": "Patient"}, *RESOURCES],
    ],
    ids=["no patient", "two patients", "nothing dated", "no identifier"],
)
def test_a_bundle_without_one_dated_patient_is_refused(
    tmp_path: Path, resources: list[Any]
) -> None:
    with pytest.raises(DataError):
        read_record(bundle_file(tmp_path, resources), {})


def test_a_bad_file_is_a_row_of_the_report_and_not_the_end(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    bundle_file(source, [PATIENT, *RESOURCES])
    bundle_file(source, [PATIENT, *RESOURCES], "two.json")
    (source / "bad.xml").write_text("<Bundle><entry>")
    report = import_fhir(source, tmp_path / "cohort", workers=1)
    assert report.counts["patients"] == 1
    status = {finding.file: finding.status for finding in report.findings}
    assert status == {"bad.xml": "unreadable", "two.json": "refused", "one.json": "noted"}


def test_real_bundles_become_a_cohort_that_can_be_read(shared_data: Path, tmp_path: Path) -> None:
    out = tmp_path / "cohort"
    report = import_fhir(shared_data / "notes", out, workers=2)
    assert report.counts["patients"] == 5
    assert report.counts["texts"] > 100
    written = "".join(path.read_text() for path in out.iterdir())
    for path in (shared_data / "notes").glob("*.xml"):
        xml = path.read_text()
        for tag in ("family", "given", "birthDate", "postalCode", "city"):
            for word in re.findall(rf'<{tag} value="([^"]{{3,}})"', xml):
                assert not re.search(rf"\b{re.escape(word)}\b", written), tag
    assert not re.search(r"(19|20)\d\d-\d\d-\d\d", written)
    patients = pl.read_csv(out / "patients.csv")
    outcomes = patients.select(
        "patient_id", endpoint=pl.lit("recurrence"), time=pl.lit(900), event=pl.lit(0)
    )
    outcomes.write_csv(out / "outcomes.csv")
    manifest = {
        "name": "notes",
        "endpoints": {"recurrence": {}},
        "clinical": {"age": {"kind": "numeric"}},
        "tables": {name: {"file": f"{name}.csv"} for name in ("patients", "outcomes", "texts")},
    }
    (out / "cohort.yaml").write_text(yaml.safe_dump(manifest))
    cohort = read_cohort(out)
    assert sum(len(patient.texts) for patient in cohort.patients) == report.counts["texts"]
    assert all(20 < age < 90 for age in cohort.covariates["age"])
