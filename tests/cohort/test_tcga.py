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
    folder = tcga("luad", expression={"file": "expression.parquet"})
    shutil.copy(shared_data / "tcga" / "luad" / "published-folds.csv", folder)
    return folder


def test_the_public_tables_hold_empty_reports_and_patients_without_follow_up(
    tcga: Callable[..., Path],
) -> None:
    found = check_cohort(tcga("luad", raw=True, expression={"file": "expression.parquet"}))
    assert {item.code for item in found} <= {"C024", "C031", "C051"}


def test_reports_are_seen_without_exams_and_published_folds_are_followed(luad: Path) -> None:
    cohort = read_cohort(luad)
    protocol = ProtocolSettings(name="cross-validation", endpoint="os", horizon=None)
    selection = select_cases(cohort, protocol)
    assert len(cohort.patients) == 453
    assert sum(len(case.texts) for case in selection.cases) > 300
    splits = draw_splits(cohort, selection, SplitSettings(file="published-folds.csv"))
    published = pl.read_csv(luad / "published-folds.csv").filter(fold=2, split="val")
    tested = {name for name, part in splits.of(0, 2).items() if part == "test"}
    assert tested == set(published["patient_id"]) & {case.patient_id for case in selection.cases}


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
