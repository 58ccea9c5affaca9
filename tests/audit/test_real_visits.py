"""Real visits: the last ones before death give death away, landmarks do not."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
import yaml

from sequela.audit.audit import audit_cohort
from sequela.cohort.protocol import ProtocolSettings

MANIFEST = {
    "name": "pbc",
    "endpoints": {"death": {"causes": {1: "death", 2: "transplant"}}},
    "tables": {name: {"file": f"{name}.csv"} for name in ("patients", "outcomes", "exams")},
}


@pytest.fixture
def visits(shared_data: Path, tmp_path: Path) -> Path:
    rows = pl.read_csv(shared_data / "survival" / "pbcseq.csv", infer_schema_length=None)
    patient = pl.format("P{}", "id").alias("patient_id")
    once = rows.unique("id", keep="first", maintain_order=True)
    once.select(patient).write_csv(tmp_path / "patients.csv")
    once.select(
        patient,
        endpoint=pl.lit("death"),
        time="futime",
        event=pl.col("status").replace_strict({0: 0, 1: 2, 2: 1}),
    ).write_csv(tmp_path / "outcomes.csv")
    rows.filter(pl.col("day") <= pl.col("futime")).select(
        patient, "day", exam_id=pl.format("P{}-{}", "id", "day")
    ).write_csv(tmp_path / "exams.csv")
    (tmp_path / "cohort.yaml").write_text(yaml.safe_dump(MANIFEST))
    return tmp_path


def test_only_exams_chosen_by_the_outcome_tell_it(visits: Path) -> None:
    paper = audit_cohort(visits, ProtocolSettings(name="paper", endpoint="death"))
    assert "A001" in {item.code for item in paper.findings}
    assert 0.58 < paper.measured["timing"].value < 0.75
    landmark = audit_cohort(visits, ProtocolSettings(endpoint="death"))
    assert "A001" not in {item.code for item in landmark.findings}
    assert 0.45 < landmark.measured["timing"].value < 0.58
