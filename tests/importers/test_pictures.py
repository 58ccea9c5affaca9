from __future__ import annotations

import csv
from pathlib import Path

import imagecodecs
import numpy as np
import pytest

from sequela.errors import DataError
from sequela.importers.pictures import import_pictures
from sequela.traces import traces


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    source = tmp_path / "source"
    source.mkdir()
    png = imagecodecs.png_encode(np.arange(400, dtype=np.uint16).reshape(20, 20))
    for name in ("a.png", "b.png", "c.png", "d.png"):
        (source / name).write_bytes(png)
    np.save(source / "e.npy", np.ones((4, 4)))
    (source / "f.png").write_text("no picture")
    return source


def test_labels_become_exams_and_images(folder: Path, tmp_path: Path) -> None:
    (folder / "labels.csv").write_text(
        "file,exam,side,view,patient,day\n"
        "a.png,x1,L,CC,p1,0\nb.png,x1,right,mlo,p1,0\ne.npy,x2,R,CC,p1,365.5\n"
        "c.png,x1,L,CC,p1,0\nd.png,x1,L,ML,p1,0\nf.png,x1,R,CC,p1,0\n"
        "gone.png,x1,R,CC,p1,0\n../x.png,x1,R,CC,p1,0\na.png,x9,L,CC,p1,0\n"
    )
    out = tmp_path / "cohort"
    report = import_pictures(folder, out, keep_ids=True)
    assert report.counts == {"patients": 1, "exams": 2, "images": 3}
    assert [(exam["exam_id"], exam["day"]) for exam in table(out / "exams.csv")] == [
        ("x1", "0.0"),
        ("x2", "365.5"),
    ]
    images = table(out / "images.csv")
    assert [(image["side"], image["view"], image["path"]) for image in images] == [
        ("L", "CC", "images/a.png"),
        ("R", "MLO", "images/b.png"),
        ("R", "CC", "images/e.npy"),
    ]
    assert all((out / image["path"]).is_file() for image in images)
    assert [(f.file, f.reason) for f in report.findings] == [
        ("c.png", "is one of several images of this view; another was kept"),
        ("d.png", "has a view other than CC or MLO"),
        ("f.png", "is neither PNG nor NPY"),
        ("gone.png", "is missing"),
        ("../x.png", "lies outside the folder"),
        ("a.png", "has the name of an earlier row"),
    ]


def test_ids_and_names_of_files_become_pseudonyms(folder: Path, tmp_path: Path) -> None:
    (folder / "a.png").rename(folder / "Doe^Jane.png")
    (folder / "f.png").rename(folder / "Doe^Jane raw.png")
    (folder / "labels.csv").write_text(
        "file,exam,side,view,patient\nDoe^Jane.png,A-1947,L,CC,MRN-4711\n"
        "Doe^Jane raw.png,A-1947,R,CC,MRN-4711\n"
    )
    out = tmp_path / "cohort"
    report = import_pictures(folder, out)
    assert report.counts == {"patients": 1, "exams": 1, "images": 1}
    assert list(traces(out, ["Doe^Jane", "A-1947", "MRN-4711"])) == []
    assert (out / table(out / "images.csv")[0]["path"]).is_file()
    (row,) = table(tmp_path / "cohort-pseudonyms-links.csv")
    assert row["original_id"] == "MRN-4711"
    assert row["patient_id"] == table(out / "patients.csv")[0]["patient_id"]
    assert table(tmp_path / "cohort-pseudonyms-files.csv")[0]["file"] == "Doe^Jane raw.png"


def test_other_column_names_can_be_given_and_lacking_ones_are_named(
    folder: Path, tmp_path: Path
) -> None:
    (folder / "labels.csv").write_text("path,study,side,view\na.png,x1,L,CC\n")
    with pytest.raises(DataError, match="lacks file, exam; it has path, study, side, view"):
        import_pictures(folder, tmp_path / "cohort")
    names = {"file": "path", "exam": "study"}
    assert import_pictures(folder, tmp_path / "cohort", columns=names).counts["images"] == 1


def test_nothing_to_import_is_an_error_with_a_report(folder: Path, tmp_path: Path) -> None:
    (folder / "labels.csv").write_text("file,exam,side,view\nf.png,x1,L,CC\n")
    with pytest.raises(DataError, match="no image that can be imported"):
        import_pictures(folder, tmp_path / "cohort")
    assert (tmp_path / "cohort" / "import-report.csv").is_file()
