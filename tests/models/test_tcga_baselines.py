"""Cox's rows on the public TCGA cohorts reach what their README says of the published folds."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from sequela.cohort.cohort import read_cohort
from sequela.cohort.protocol import ProtocolSettings
from sequela.cohort.selection import select_cases
from sequela.modalities.clinical import rows_of
from sequela.models.baseline_numbers import BaselineInputs
from sequela.models.baselines import BaselineName, fit_baseline
from sequela.survival.concordance import concordance

MANIFESTS = Path(__file__).parents[2] / "docs" / "cohorts"


@pytest.mark.parametrize(
    ("cancer", "name", "published"),
    [
        ("kirc", "cox-clinical", 0.752),
        ("kirc", "cox-expression", 0.789),
        ("luad", "cox-clinical", 0.676),
        ("luad", "cox-expression", 0.699),
    ],
)
def test_the_mean_concordance_is_that_of_the_readme(
    shared_data: Path, tmp_path: Path, cancer: str, name: BaselineName, published: float
) -> None:
    source, folder = shared_data / "tcga" / cancer, tmp_path / cancer
    shutil.copytree(source, folder)
    manifest = (MANIFESTS / f"tcga-{cancer}.yaml").read_text(encoding="utf-8")
    (folder / "cohort.yaml").write_text(manifest)
    shutil.copy(shared_data / "gene-sets" / "functional-6.gmt", folder / "sets.gmt")
    cohort = read_cohort(folder)
    asked = ProtocolSettings(name="cross-validation", endpoint="os", horizon=None)
    selection = select_cases(cohort, asked)
    folds = pl.read_csv(source / "published-folds.csv")
    part = {
        (fold, patient): split
        for fold, patient, split in folds.select("fold", "patient_id", "split").iter_rows()
    }

    def of(fold: int, *splits: str) -> tuple[BaselineInputs, list[int]]:
        rows = [
            row
            for row, case in enumerate(selection.cases)
            if part.get((fold, case.patient_id)) in splits
        ]
        cases = [selection.cases[row] for row in rows]
        covariates = rows_of(cohort.covariates, [case.patient_id for case in cases])
        return BaselineInputs(cases, covariates, cohort.genes), rows

    found = []
    for fold in sorted(folds["fold"].unique()):
        inputs, rows = of(fold, "train")
        test, tested = of(fold, "val", "validation", "test")
        followup = selection.followup[np.array(rows)]
        fitted = fit_baseline(name, inputs, followup, clinical=cohort.manifest.clinical)
        later = selection.followup[np.array(tested)]
        found.append(concordance(later.time, later.event == 1, fitted.risk(test)).value)
    assert sum(found) / len(found) == pytest.approx(published, abs=0.01)
