from __future__ import annotations

import csv
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread

from sequela.errors import DataError, UsageError
from sequela.importers import dicom_transfer
from sequela.importers.dicom import import_dicom
from sequela.traces import traces

Make = Callable[..., Dataset]
Put = Callable[[str, Dataset], Path]
Rows = list[dict[str, str]]


def table(path: Path) -> Rows:
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def reasons(out: Path) -> dict[str, tuple[str, str]]:
    rows = table(out / "import-report.csv")
    files = {row["name"]: row["file"] for row in table(out.parent / "cohort-pseudonyms-files.csv")}
    return {files[row["file"]]: (row["status"], row["reason"]) for row in rows}


@pytest.fixture
def hospital(make_header: Make, code: Make, put: Put, tmp_path: Path) -> Path:
    """Two patients and four exams, and a file of every kind that is not imported."""
    for side in "LR":
        for view in ("CC", "MLO"):
            put(f"a/{side}{view}", make_header("P1", "20200110", side, view))
            put(f"a/b/{side}{view}.dcm", make_header("P1", "20210111", side, view))
    put("IM0001", make_header("P2", "20190301", "R", "MLO"))
    put("IM0002", make_header("P2", "20190901", "R", "CC", BreastImplantPresent="YES"))
    special = make_header("P2", SOPInstanceUID="1.2.1")
    special.ViewCodeSequence[0].ViewModifierCodeSequence = [code("R-102D6")]
    put("z/magnified", special)
    put("z/raw", make_header("P2", PresentationIntentType="FOR PROCESSING"))
    put("z/tomo", make_header("P2", SOPClassUID="1.2.840.10008.5.1.4.1.1.13.1.3"))
    put("z/us", make_header("P2", Modality="US"))
    put("z/ml", make_header("P2", view="", ViewPosition="ML"))
    put("z/nobody", make_header(""))
    put("z/undated", make_header("P2", "19991332"))
    put("z/colour", make_header("P2", SamplesPerPixel=3))
    source = tmp_path / "source"
    (source / "z/empty.dcm").touch()
    (source / "z/report.dcm").write_text("To whom it may concern\n" * 99)
    whole = (source / "IM0001").read_bytes()
    (source / "z/half").write_bytes(whole[: len(whole) // 3])
    return source


def test_a_hospital_folder_becomes_a_cohort(hospital: Path, tmp_path: Path) -> None:
    out = tmp_path / "cohort"
    report = import_dicom(hospital, out, workers=2)
    assert report.counts == {"patients": 2, "exams": 4, "images": 10}
    exams, images = table(out / "exams.csv"), table(out / "images.csv")
    days: dict[str, list[str]] = {}
    for exam in exams:
        days.setdefault(exam["patient_id"], []).append(exam["day"])
    assert sorted(days.values()) == [["0", "184"], ["0", "367"]]
    assert {exam["vendor"] for exam in exams} == {"SYNTHETIC"}
    assert {image["exam_id"] for image in images} == {exam["exam_id"] for exam in exams}
    assert {row["patient_id"] for row in table(out / "patients.csv")} == set(days)
    for image in images:
        assert (out / image["path"]).is_file()
        assert image["path"] == f"dicom/{image['image_id']}.dcm"
    assert len({(i["exam_id"], i["side"], i["view"]) for i in images}) == 10
    assert reasons(out) == {
        "IM0002": ("noted", "shows an implant"),
        "z/magnified": ("set aside", "is a special view: magnification"),
        "z/raw": (
            "refused",
            "is For Processing (raw detector values); export the For Presentation image instead",
        ),
        "z/tomo": ("set aside", "is a tomosynthesis or another image of several frames"),
        "z/us": ("set aside", "is not a mammogram (modality US)"),
        "z/ml": ("set aside", "shows ML, not CC or MLO"),
        "z/nobody": (
            "refused",
            "has no PatientID, so it cannot be placed in a patient's history",
        ),
        "z/undated": (
            "refused",
            "has no valid StudyDate, so it cannot be placed in a patient's history",
        ),
        "z/colour": (
            "set aside",
            "is in colour: a screen shot or an overlay, not a mammogram",
        ),
        "z/empty.dcm": ("unreadable", "is empty"),
        "z/report.dcm": ("unreadable", "is not a DICOM file"),
        "z/half": reasons(out)["z/half"],
    }
    assert reasons(out)["z/half"][0] in ("unreadable", "set aside")


@pytest.mark.usefixtures("in_process")
def test_no_date_and_no_identifier_reaches_the_tables(hospital: Path, tmp_path: Path) -> None:
    out = tmp_path / "cohort"
    import_dicom(hospital, out, workers=1)
    text = "".join((out / f"{name}.csv").read_text() for name in ("patients", "exams", "images"))
    assert not re.search(r"\bP[12]\b|Doe|2019|202[01]|1\.2\.", text)
    links = tmp_path / "cohort-pseudonyms-links.csv"
    assert {row["original_id"] for row in table(links)} == {"P1", "P2"}
    assert {row["patient_id"] for row in table(links)} == {
        row["patient_id"] for row in table(out / "patients.csv")
    }
    for private in (links, tmp_path / "cohort-pseudonyms.key"):
        assert private.stat().st_mode & 0o077 == 0


@pytest.mark.usefixtures("in_process")
def test_one_key_gives_the_same_names_and_another_key_others(
    hospital: Path, tmp_path: Path
) -> None:
    def patients(out: str, key: str) -> set[str]:
        import_dicom(hospital, tmp_path / out, key=tmp_path / key, workers=1)
        return {row["patient_id"] for row in table(tmp_path / out / "patients.csv")}

    first = patients("one", "key")
    assert patients("two", "key") == first
    assert not patients("three", "other") & first


@pytest.mark.usefixtures("in_process")
def test_patients_and_links_of_another_import_are_kept(
    make_header: Make, put: Put, tmp_path: Path
) -> None:
    put("one", make_header("P1"))
    out, key = tmp_path / "cohort", tmp_path / "key"
    out.mkdir()
    (out / "patients.csv").write_text("patient_id,age\npother,61\n")
    import_dicom(tmp_path / "source", out, key=key, workers=1)
    (other, mine) = table(out / "patients.csv")
    assert other == {"patient_id": "pother", "age": "61"}
    assert mine["age"] == ""
    put("one", make_header("P2"))
    import_dicom(tmp_path / "source", tmp_path / "second", key=key, workers=1)
    links = {row["original_id"]: row["patient_id"] for row in table(tmp_path / "key-links.csv")}
    assert set(links) == {"P1", "P2"}
    assert links["P1"] == mine["patient_id"]


@pytest.mark.usefixtures("in_process")
def test_days_are_counted_from_the_index_dates_given(
    make_header: Make, put: Put, tmp_path: Path
) -> None:
    for patient, day in (("P1", "20200110"), ("P2", "20200301"), ("P3", "20200301")):
        put(patient, make_header(patient, day))
    dates = tmp_path / "index.csv"
    dates.write_text("patient_id,index_date\nP1,2020-01-20\nP2,20200229\n")
    out = tmp_path / "cohort"
    import_dicom(tmp_path / "source", out, index_dates=dates, workers=1)
    assert sorted(row["day"] for row in table(out / "exams.csv")) == ["-10", "1"]
    assert reasons(out)["P3"] == ("refused", "its patient has no index date in the file given")


@pytest.mark.usefixtures("in_process")
def test_of_several_images_of_a_view_the_best_is_kept(
    make_header: Make, code: Make, put: Put, tmp_path: Path
) -> None:
    def take(name: str, number: int, **values: object) -> None:
        put(name, make_header(SOPInstanceUID=f"1.2.{number}", **values))

    take("synthetic", 1, Rows=900, ImageType=["DERIVED", "PRIMARY", "TOMO", "GENERATED_2D"])
    take("part", 2, Rows=900, PartialView="YES")
    take("small", 3, Rows=4)
    take("early", 4)
    take("late", 5, AcquisitionTime="101700")
    take("late-again", 5, AcquisitionTime="101700")
    displaced = make_header(SOPInstanceUID="1.2.6", Rows=900)
    displaced.ViewCodeSequence[0].ViewModifierCodeSequence = [code("R-102D5")]
    put("displaced", displaced)
    out = tmp_path / "cohort"
    assert import_dicom(tmp_path / "source", out, workers=1).counts["images"] == 1
    found = reasons(out)
    assert "late" not in found
    assert found.pop("late-again")[1] == "is a second copy of an image that was imported"
    assert set(found) == {"synthetic", "part", "small", "early", "displaced"}
    assert {reason for _, reason in found.values()} == {
        "is one of several images of this view; another was kept"
    }


@pytest.mark.usefixtures("in_process")
def test_files_inside_the_cohort_stay_where_they_are_and_links_are_links(
    make_header: Make, put: Put, tmp_path: Path
) -> None:
    file = put("raw/one", make_header())
    inside = tmp_path / "source"
    import_dicom(inside, inside, key=tmp_path / "key", workers=1)
    assert [row["path"] for row in table(inside / "images.csv")] == ["raw/one"]
    import_dicom(inside, tmp_path / "linked", key=tmp_path / "key", transfer="link", workers=1)
    (row,) = table(tmp_path / "linked" / "images.csv")
    assert (tmp_path / "linked" / row["path"]).samefile(file)


@pytest.mark.usefixtures("in_process")
def test_copies_name_nobody_and_the_report_names_no_file(
    make_header: Make, put: Put, tmp_path: Path
) -> None:
    file = put("Doe^Jane 19700102", make_header("MRN-4711"))
    put("Doe^Jane raw", make_header("MRN-4711", PresentationIntentType="FOR PROCESSING"))
    out = tmp_path / "cohort"
    import_dicom(tmp_path / "source", out, workers=1)
    assert list(traces(tmp_path / "source", ["Doe^Jane", "MRN-4711"]))
    assert list(traces(out, ["Doe^Jane", "MRN-4711", "20200110"])) == []
    (row,) = table(out / "images.csv")
    (copy, original) = (dcmread(path) for path in (out / row["path"], file))
    assert copy.PixelData == original.PixelData
    assert copy.PatientID == table(out / "patients.csv")[0]["patient_id"]
    assert list(reasons(out)) == ["Doe^Jane raw"]


@pytest.mark.usefixtures("in_process")
def test_links_that_lead_out_of_the_source_are_not_followed(
    make_header: Make, put: Put, tmp_path: Path
) -> None:
    inside = put("one", make_header("P1"))
    (tmp_path / "elsewhere").write_bytes(put("two", make_header("P2")).read_bytes())
    (inside.parent / "two").unlink()
    (inside.parent / "out").symlink_to(tmp_path / "elsewhere")
    (inside.parent / "folder").symlink_to(tmp_path)
    (inside.parent / "loop").symlink_to(inside.parent)
    (inside.parent / "same").symlink_to(inside)
    out = tmp_path / "cohort"
    assert import_dicom(inside.parent, out, workers=1).counts["patients"] == 1
    assert set(reasons(out)) <= {"one", "same"}


@pytest.mark.usefixtures("in_process")
def test_an_image_that_cannot_be_copied_is_told_and_left_out(
    make_header: Make, put: Put, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put("good", make_header("P1"))
    bad = put("bad", make_header("P2"))

    def failing(file: Path, *_: object) -> None:
        if file == bad:
            raise DataError("its pixels are broken")

    monkeypatch.setattr(dicom_transfer, "write_deidentified", lambda *_, **__: None)
    monkeypatch.setattr(dicom_transfer, "copy_unnamed", failing)
    out = tmp_path / "cohort"
    assert import_dicom(tmp_path / "source", out, workers=1).counts["images"] == 1
    assert reasons(out) == {"bad": ("unreadable", "its pixels are broken")}


@pytest.mark.usefixtures("in_process")
def test_what_would_lose_or_leak_is_refused(make_header: Make, put: Put, tmp_path: Path) -> None:
    source, out = tmp_path / "source", tmp_path / "cohort"
    put("one", make_header())
    with pytest.raises(UsageError, match="inside the cohort folder"):
        import_dicom(source, out, key=out / "key")
    with pytest.raises(UsageError, match="not a folder"):
        import_dicom(tmp_path / "none", out)
    (tmp_path / "bad.csv").write_text("patient_id,index_date\nP1,soon\n")
    with pytest.raises(DataError, match="hold no date"):
        import_dicom(source, out, index_dates=tmp_path / "bad.csv")
    import_dicom(source, out, workers=1)
    with pytest.raises(UsageError, match="already has"):
        import_dicom(source, out, workers=1)
    (source / "one").write_text("no longer DICOM")
    with pytest.raises(DataError, match="none of the 1 files") as error:
        import_dicom(source, tmp_path / "other", workers=1)
    assert error.value.items == ("1 × is not a DICOM file",)
    assert (tmp_path / "other" / "import-report.csv").is_file()
