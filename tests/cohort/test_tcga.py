"""Public pathology cohorts are read by a manifest alone, with their published folds."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from sequela.cohort.checks import check_cohort
from sequela.cohort.cohort import read_cohort
from sequela.cohort.protocol import ProtocolSettings
from sequela.cohort.selection import select_cases
from sequela.cohort.splits import SplitSettings, draw_splits


@pytest.fixture
def luad(tcga: Callable[..., Path], shared_data: Path) -> Path:
    folder = tcga("luad")
    shutil.copy(shared_data / "tcga" / "luad" / "published-folds.csv", folder)
    return folder


def test_reports_are_seen_without_exams_and_published_folds_are_followed(luad: Path) -> None:
    # Of the public table: reports that are empty.
    assert {item.code for item in check_cohort(luad)} == {"C037", "C051"}
    cohort = read_cohort(luad)
    protocol = ProtocolSettings(name="cross-validation", endpoint="os", horizon=None)
    selection = select_cases(cohort, protocol)
    assert len(cohort.patients) == 453
    assert sum(len(case.texts) for case in selection.cases) > 300
    splits = draw_splits(cohort, selection, SplitSettings(file="published-folds.csv"))
    published = pl.read_csv(luad / "published-folds.csv").filter(fold=2, split="val")
    tested = {name for name, part in splits.of(0, 2).items() if part == "test"}
    assert tested == set(published["patient_id"]) & {case.patient_id for case in selection.cases}


@pytest.mark.parametrize("cancer", ["brca", "kirc", "luad", "ucec"])
def test_a_cohort_passes_as_it_is_with_its_manifest(
    shared_data: Path, tmp_path: Path, cancer: str
) -> None:
    folder = tmp_path / cancer
    shutil.copytree(shared_data / "tcga" / cancer, folder)
    manifest = Path(__file__).parents[2] / "docs" / "cohorts" / f"tcga-{cancer}.yaml"
    shutil.copy(manifest, folder / "cohort.yaml")
    assert {item.code for item in check_cohort(folder)} <= {"C037", "C051"}
    cohort = read_cohort(folder)
    assert cohort.covariates["stage"].null_count() < 0.03 * len(cohort.patients)
    assert ("expression" in cohort.genes) == (cancer != "ucec")


def test_sites_are_kept_together_where_that_is_asked(luad: Path) -> None:
    cohort = read_cohort(luad)
    protocol = ProtocolSettings(name="cross-validation", endpoint="os", horizon=None)
    selection = select_cases(cohort, protocol)
    splits = draw_splits(cohort, selection, SplitSettings(folds=5, group="site"))
    for fold in range(5):
        parts: dict[str, set[str]] = {}
        for name, part in splits.of(0, fold).items():
            parts.setdefault(cohort.patient(name).site, set()).add(part)
        assert all(len(seen) == 1 for seen in parts.values())
    counts = [list(splits.of(0, fold).values()).count("test") for fold in range(5)]
    assert max(counts) - min(counts) <= 0.1 * sum(counts)
