from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from sequela.audit.label_sanity import (
    followup_findings,
    followup_profile,
    label_findings,
    profile_in_words,
    seems_exchanged,
)
from sequela.cohort.cohort import read_cohort
from sequela.cohort.protocol import ProtocolSettings
from sequela.cohort.selection import select_cases

PUBLIC = {
    "lung": ("time", "status", 2),
    "veteran": ("time", "status", 1),
    "gbsg": ("rfstime", "status", 1),
    "aml": ("time", "status", 1),
    "rossi": ("week", "arrest", 1),
    "rotterdam": ("rtime", "recur", 1),
    "mgus2": ("futime", "death", 1),
    "colon": ("time", "status", 1),
}
FOUND = ("gbsg", "rossi", "rotterdam", "colon")


def codes(folder: Path) -> list[str]:
    return [item.code for item in label_findings(read_cohort(folder), "recurrence")]


def test_sound_labels_raise_nothing(clean: Path, yearly: Path) -> None:
    assert codes(clean) == codes(yearly) == []
    cohort = read_cohort(clean)
    assert list(followup_findings(cohort, select_cases(cohort, ProtocolSettings()))) == []


@pytest.mark.parametrize("name", PUBLIC)
def test_public_outcomes_are_not_accused_and_exchanged_ones_often_are(
    shared_data: Path, name: str
) -> None:
    time, status, event = PUBLIC[name]
    table = pl.read_csv(shared_data / "survival" / f"{name}.csv", infer_schema_length=None)
    times = table[time].cast(pl.Float64).to_numpy()
    happened = (table[status] == event).to_numpy()
    assert not seems_exchanged(times, happened)
    assert seems_exchanged(times, ~happened) == (name in FOUND)


@pytest.mark.parametrize("cancer", ["brca", "luad", "kirc", "ucec"])
def test_tcga_outcomes_are_not_accused(shared_data: Path, cancer: str) -> None:
    table = pl.read_csv(shared_data / "tcga" / cancer / "outcomes.csv")
    for endpoint in ("os", "dss", "dfi", "pfi"):
        rows = table.filter(endpoint=endpoint)
        happened = (rows["event"] == 1).to_numpy()
        assert not seems_exchanged(rows["time"].to_numpy(), happened), endpoint


def test_an_exchanged_coding_is_found(clean: Path, changed: Callable[..., Path]) -> None:
    exchanged = 1 - (pl.col("event") > 0).cast(pl.Int64)
    folder = changed("outcomes", lambda table: table.with_columns(event=exchanged))
    assert codes(folder) == ["A041"]


def test_few_events_are_named(changed: Callable[..., Path]) -> None:
    few = pl.when(pl.col("event").cum_sum() < 9).then("event").otherwise(0)
    assert codes(changed("outcomes", lambda table: table.with_columns(event=few))) == ["A042"]


def test_short_followup_is_named(changed: Callable[..., Path]) -> None:
    cut = pl.when(pl.col("time") > 800).then(0).otherwise("event")
    time = pl.min_horizontal("time", 800)
    folder = changed("outcomes", lambda table: table.with_columns(event=cut, time=time))
    exams = pl.read_csv(folder / "exams.csv").filter(pl.col("day") < 800)
    late = ~pl.col("exam_id").is_in(exams["exam_id"].to_list())
    exams.join(pl.read_csv(folder / "outcomes.csv"), on="patient_id").filter(
        pl.col("day") <= pl.col("time")
    ).select(exams.columns).write_csv(folder / "exams.csv")
    pl.read_csv(folder / "texts.csv").filter(~late).write_csv(folder / "texts.csv")
    cohort = read_cohort(folder)
    selection = select_cases(cohort, ProtocolSettings(name="cross-validation"))
    (item,) = followup_findings(cohort, selection)
    assert item.code == "A043"
    assert "0 of 300 cases" in item.message


def test_deaths_that_were_censored_are_found(changed: Callable[..., Path]) -> None:
    def plant(table: pl.DataFrame) -> pl.DataFrame:
        dead = np.arange(len(table)) % 4 == 0
        table = table.with_columns(event=pl.when(pl.Series(dead)).then(0).otherwise("event"))
        deaths = table.with_columns(endpoint=pl.lit("os"), event=pl.Series(dead.astype(np.int64)))
        return pl.concat([table.with_columns(event=(pl.col("event") == 1).cast(pl.Int64)), deaths])

    endpoints = {"recurrence": {"causes": {1: "recurrence"}, "cause": 1}, "os": {}}
    assert codes(changed("outcomes", plant, {"endpoints": endpoints})) == ["A044"]


def test_ages_in_days_are_named(changed: Callable[..., Path]) -> None:
    folder = changed("patients", lambda table: table.with_columns(pl.col("age") * 365.25))
    assert codes(folder) == ["A046"]


def test_a_cohort_in_which_nobody_is_spared_is_doubted(changed: Callable[..., Path]) -> None:
    folder = changed("outcomes", lambda table: table.with_columns(event=pl.lit(1)))
    assert "A047" in codes(folder)


def test_the_profile_counts_everybody_once(clean: Path) -> None:
    cohort = read_cohort(clean)
    profile = followup_profile(cohort, "recurrence")
    counted = sum(profile[name] for name in ("events", "competing", "censored"))  # type: ignore[misc]
    assert counted == profile["patients"] == len(cohort.patients)
    followed = list(profile["followed_years"].values())  # type: ignore[attr-defined]
    assert followed == sorted(followed, reverse=True)
    assert str(profile["events"]) in profile_in_words(profile)
