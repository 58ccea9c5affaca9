"""What the audit says of the public pathology cohorts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from sequela.audit.audit import Audit, audit_cohort
from sequela.cohort.protocol import ProtocolSettings

MANIFEST: dict[str, Any] = {
    "name": "tcga",
    "endpoints": {"os": {"causes": {1: "death"}}, "dss": {}, "dfi": {}, "pfi": {}},
    "clinical": {
        "age": {"kind": "numeric", "unit": "years"},
        "sex": {"kind": "binary", "levels": ["female", "male"]},
    },
    "tables": {
        "patients": {"file": "patients.csv"},
        "outcomes": {"file": "outcomes.csv"},
    },
}


def audited(source: Path, folder: Path, endpoint: str) -> Audit:
    manifest = yaml.safe_load(yaml.safe_dump(MANIFEST))
    pl.read_csv(source / "patients.csv", infer_schema=False).write_csv(folder / "patients.csv")
    outcomes = pl.read_csv(source / "outcomes.csv").filter(pl.col("time") > 0)
    outcomes.write_csv(folder / "outcomes.csv")
    texts = pl.read_csv(source / "texts.csv", infer_schema=False)
    texts = texts.filter(pl.col("text").str.strip_chars() != "")
    if len(texts):
        texts.write_csv(folder / "texts.csv")
        manifest["tables"]["texts"] = {"file": "texts.csv", "constants": {"day": 0}}
    (folder / "cohort.yaml").write_text(yaml.safe_dump(manifest))
    protocol = ProtocolSettings(name="cross-validation", endpoint=endpoint, horizon=None)
    return audit_cohort(folder, protocol)


def test_breast_cancer_is_better_asked_for_progression(shared_data: Path, tmp_path: Path) -> None:
    audit = audited(shared_data / "tcga" / "brca", tmp_path, "os")
    assert "A045" in {item.code for item in audit.findings}
    assert audit.leaks == 0


@pytest.mark.parametrize("cancer", ["luad"])
def test_a_cohort_of_one_day_has_no_timing_to_leak(
    shared_data: Path, tmp_path: Path, cancer: str
) -> None:
    audit = audited(shared_data / "tcga" / cancer, tmp_path, "pfi")
    assert "A001" not in {item.code for item in audit.findings}
    assert not {"A041", "A042", "A045"} & {item.code for item in audit.findings}
