from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from sequela.cohort.checks import check_cohort
from sequela.cohort.cohort import read_cohort
from sequela.cohort.manifest import Covariate, Endpoint, Manifest, TableSource
from sequela.cohort.template import MANIFEST, write_cohort_template
from sequela.errors import UsageError

ROWS = {
    "patients": "P1,A,breast,61,2,positive",
    "outcomes": "P1,recurrence,900,1,",
    "exams": "E1,P1,30,MG,",
    "images": "I1,E1,L,CC,a.dcm",
    "texts": "T1,P1,30,report,No sign of recurrence.,E1,,en",
}


def test_the_template_is_a_cohort_once_it_is_filled_in(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    written = write_cohort_template(folder)
    assert {path.name for path in written} == {path.name for path in folder.iterdir()}
    assert {item.code for item in check_cohort(folder)} == {"C007"}
    for name, row in ROWS.items():
        with (folder / f"{name}.csv").open("a") as file:
            file.write(row + "\n")
    (folder / "a.dcm").touch()
    assert [item.code for item in check_cohort(folder)] == []
    (patient,) = read_cohort(folder).patients
    assert patient.exams[0].texts[0].text == "No sign of recurrence."


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "exams.csv").write_text("imported")
    assert tmp_path / "exams.csv" not in write_cohort_template(tmp_path)
    assert (tmp_path / "exams.csv").read_text() == "imported"
    with pytest.raises(UsageError, match=r"already holds cohort\.yaml"):
        write_cohort_template(tmp_path)


def test_every_entry_of_the_manifest_is_shown() -> None:
    shown = yaml.safe_load(MANIFEST)
    assert set(shown) == set(Manifest.model_fields)
    assert set(shown["endpoints"]["recurrence"]) == set(Endpoint.model_fields)
    assert {key for item in shown["clinical"].values() for key in item} == set(
        Covariate.model_fields
    )
    for key in TableSource.model_fields:
        assert f"{key}:" in MANIFEST
