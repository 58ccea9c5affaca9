from __future__ import annotations

from pathlib import Path

import pytest
from spoken import speak

REPORT = "Left kidney: clear cell renal cell carcinoma, grade 3, 4.5 cm, margins free, pT1b N0 MX."


@pytest.fixture
def cohort(tmp_path: Path) -> Path:
    folder = tmp_path / "kidneys"
    folder.mkdir()
    tables = "{patients: {file: patients.csv}, texts: {file: texts.csv}}"
    (folder / "cohort.yaml").write_text(f"name: kidneys\ntables: {tables}\n")
    (folder / "patients.csv").write_text("patient_id,cancer_type\nk1,KIRC\n")
    (folder / "texts.csv").write_text(
        f'text_id,patient_id,day,kind,text\nt1,k1,0,pathology report,"{REPORT}"\n'
    )
    return folder


def test_reports_and_claims_are_frozen_and_reviewed(cohort: Path) -> None:
    assert speak("knowledge", "refine", cohort, "--dry-run", "--json").answer["reports"] == 1
    refined = speak("knowledge", "refine", cohort, "--json").answer
    assert refined["known"]["pT"] == 1
    assert speak("knowledge", "background", cohort, "--json").answer["claims"]["KIRC"] > 9
    table = cohort / "review.csv"
    assert speak("knowledge", "review", cohort, "--out", table, "--json").answer["written"] == 17
    table.write_text(table.read_text().replace("unreviewed", "accepted"))
    reviewed = speak("knowledge", "review", cohort, "--take", table, "--json").answer
    assert reviewed["accepted"] > 5


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (("--url", "http://127.0.0.1:9/v1"), 2),
        (("--model", "m", "--url", "https://models.example.org/v1"), 4),
        (("--model", "m", "--url", "nonsense"), 2),
    ],
)
def test_an_endpoint_that_may_not_be_asked_is_refused(
    cohort: Path, options: tuple[str, ...], code: int
) -> None:
    said = speak("knowledge", "refine", cohort, *options, "--json")
    assert said.code == code
    assert str(cohort) not in said.all


def test_a_review_before_anything_was_read_says_what_to_run(cohort: Path) -> None:
    said = speak("knowledge", "review", cohort, "--json")
    assert said.code == 3
    assert "knowledge refine" in said.error["hint"]
