"""What a cohort's own tables give to divide predictions by."""

from __future__ import annotations

import polars as pl
import pytest

from sequela.cohort.cohort import Cohort, read_cohort
from sequela.evaluation.cohort_columns import column_of, usual_columns
from sequela.simulation.cohort import simulate
from sequela.simulation.settings import SimulationSettings


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    folder = tmp_path_factory.mktemp("columns") / "cohort"
    simulate(SimulationSettings(patients=40, seed=2, images=False), folder)
    exams = pl.read_csv(folder / "exams.csv", infer_schema=False)
    first = pl.col("day").cast(pl.Float64).rank("ordinal").over("patient_id") == 1
    named = pl.when(first).then(pl.lit("old")).otherwise(pl.lit("new"))
    exams.with_columns(named.alias("vendor")).write_csv(folder / "exams.csv")
    return read_cohort(folder)


def test_the_vendor_is_that_of_the_last_exam_up_to_the_landmark(cohort: Cohort) -> None:
    seen = [patient for patient in cohort.patients if len(patient.exams) > 1]
    rows = pl.DataFrame(
        {
            "patient_id": [patient.patient_id for patient in seen for _ in range(3)],
            "landmark": [
                day
                for patient in seen
                for day in (-1e6, patient.exams[0].day, patient.exams[1].day + 0.5)
            ],
        }
    )
    table = column_of(cohort, "vendor", rows)
    assert table is not None
    found = rows.join(table, on=["patient_id", "landmark"], how="left", maintain_order="left")
    assert len(seen) > 5
    assert found["vendor"].to_list() == ["", "old", "new"] * len(seen)


def test_receptor_status_is_a_declared_covariate_and_divides_the_patients(cohort: Cohort) -> None:
    assert "receptor" in usual_columns(cohort)
    table = column_of(cohort, "receptor", pl.DataFrame())
    assert table is not None
    assert table["patient_id"].to_list() == cohort.covariates["patient_id"].to_list()
    assert set(table["receptor"].drop_nulls()) == {"negative", "positive"}
    assert column_of(cohort, "year", pl.DataFrame()) is None  # no calendar date is stored


def test_usual_columns_are_what_is_declared_and_varies(cohort: Cohort) -> None:
    usual = usual_columns(cohort)
    assert "vendor" in usual
    of_patients = set(usual) - {"vendor", "modality", "available"}
    assert all(column_of(cohort, name, pl.DataFrame()) is not None for name in of_patients)
    numeric = {name for name, one in cohort.manifest.clinical.items() if one.kind == "numeric"}
    assert set(usual) & numeric <= {"age", "year"}
    assert column_of(cohort, "nowhere", pl.DataFrame()) is None
