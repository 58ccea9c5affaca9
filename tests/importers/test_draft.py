from __future__ import annotations

from pathlib import Path

from sequela.cohort.checks import check_cohort
from sequela.cohort.manifest import Manifest
from sequela.importers.draft import draft_manifest


def test_a_draft_names_the_tables_that_stand_and_passes_the_check(tmp_path: Path) -> None:
    (tmp_path / "patients.csv").write_text("patient_id,age\nP1,50\n")
    (tmp_path / "texts.csv").write_text("text_id,patient_id,day,kind,text\nT1,P1,0,note,fine\n")
    (said,) = draft_manifest(tmp_path)
    assert "outcomes are still to be added" in said
    manifest = Manifest.load(tmp_path)
    assert set(manifest.tables) == {"patients", "texts"}
    assert set(manifest.clinical) == {"age"}
    assert check_cohort(tmp_path) == []


def test_a_manifest_that_stands_is_left_and_what_it_lacks_is_said(tmp_path: Path) -> None:
    (tmp_path / "patients.csv").write_text("patient_id\nP1\n")
    draft_manifest(tmp_path)
    before = (tmp_path / "cohort.yaml").read_bytes()
    assert draft_manifest(tmp_path) == ()
    (tmp_path / "exams.csv").write_text("exam_id,patient_id,day\nE1,P1,0\n")
    (said,) = draft_manifest(tmp_path)
    assert "exams: {file: exams.csv}" in said
    assert (tmp_path / "cohort.yaml").read_bytes() == before
