from __future__ import annotations

from typing import Any

import polars as pl

from sequela.cohort.cohort import read_cohort
from sequela.cohort.protocol import ProtocolSettings
from sequela.cohort.selection import select_cases
from sequela.cohort.sites import shared_sites, site_overlap
from sequela.cohort.splits import SplitSettings, draw_splits


def test_it_is_the_share_of_test_patients_whose_site_is_trained_on(write: Any, tables: Any) -> None:
    cohort = read_cohort(write(tables))  # P0 and P2 are of site S0, P1 and P3 of S1
    parts = {0: "train train test test", 1: "test train test train", 2: "test train train train"}
    table = pl.DataFrame(
        [
            {"repeat": 0, "fold": fold, "patient_id": f"P{place}", "split": split}
            for fold, text in parts.items()
            for place, split in enumerate(text.split())
        ]
    )
    assert site_overlap(cohort, table) == (1.0, 0.0, 1.0)


def test_sites_stay_together_in_the_folds_of_cross_validation(write: Any, little: Any) -> None:
    tables = little(patients=40, exams=1)
    for number, row in enumerate(tables["patients"]):
        row["site"] = f"S{number // 2 % 8}"
    cohort = read_cohort(write(tables))
    protocol = ProtocolSettings(name="cross-validation", endpoint="recurrence", horizon=None)
    selection = select_cases(cohort, protocol)
    kept = draw_splits(cohort, selection, SplitSettings(folds=3))
    mixed = draw_splits(cohort, selection, SplitSettings(folds=3, group="patient"))
    assert site_overlap(cohort, kept.table) == (0.0, 0.0, 0.0)
    assert max(site_overlap(cohort, mixed.table)) > 0


def test_shares_are_told_where_there_are_any() -> None:
    assert shared_sites(()) is None
    assert shared_sites((0.0, 0.0)) is None
    told = shared_sites((0.968, 1.0))
    assert told is not None and "97% to 100% of the test patients" in told
