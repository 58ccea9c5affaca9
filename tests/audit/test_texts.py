from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from scipy.stats import hypergeom

from sequela.audit.labels import label_cases
from sequela.audit.texts import chance_of_as_many, text_findings
from sequela.cohort.checks import checked_tables
from sequela.cohort.cohort import read_cohort
from sequela.cohort.findings import Finding
from sequela.cohort.protocol import ProtocolSettings
from sequela.cohort.selection import select_cases

SAID = "Local recurrence in the scar, histologically proven."


def found(folder: Path) -> list[Finding]:
    cohort = read_cohort(folder)
    tables, _ = checked_tables(folder, cohort.manifest)
    labelled = label_cases(cohort, select_cases(cohort, ProtocolSettings()))
    return list(text_findings(cohort, tables["texts"], labelled, "recurrence"))


def events(folder: Path) -> list[str]:
    ends = pl.read_csv(folder / "outcomes.csv")
    return ends.filter((pl.col("event") == 1) & (pl.col("time") < 1500))["patient_id"].to_list()


def saying(rows: pl.Expr) -> Callable[[pl.DataFrame], pl.DataFrame]:
    text = pl.when(rows).then(pl.lit(SAID)).otherwise("text")
    return lambda table: table.with_columns(text=text)


def test_sound_notes_raise_nothing(clean: Path) -> None:
    assert found(clean) == []


def test_notes_that_know_the_event_are_a_leak(copied: Path, changed: Callable[..., Path]) -> None:
    told = pl.col("patient_id").is_in(events(copied)[:20]) & (pl.col("day") < 200)
    (leak,) = found(changed("texts", saying(told)))
    assert (leak.code, leak.severity, leak.column) == ("A031", "error", "text")
    texts = pl.read_csv(copied / "texts.csv").with_row_index("line", offset=2)
    assert leak.row == texts.filter(pl.col("text") == SAID)["line"].min()
    assert SAID not in str(leak)


def test_one_note_is_a_doubt(copied: Path, changed: Callable[..., Path]) -> None:
    told = pl.col("patient_id") == events(copied)[0]
    (doubt,) = found(changed("texts", saying(told)))
    assert (doubt.code, doubt.severity) == ("A032", "warning")


def test_the_same_words_negated_are_silent(copied: Path, changed: Callable[..., Path]) -> None:
    text = pl.when(pl.col("patient_id").is_in(events(copied))).then(
        pl.lit("No sign of recurrence; geen recidief; kein Rezidiv.")
    )
    assert (
        found(changed("texts", lambda table: table.with_columns(text=text.otherwise("text")))) == []
    )


def test_texts_of_too_late_a_day_are_named(copied: Path, changed: Callable[..., Path]) -> None:
    late = pl.int_range(pl.len()) == 3

    def plant(table: pl.DataFrame) -> pl.DataFrame:
        day = pl.when(late).then(4000).otherwise("day")
        return table.sort(
            ~pl.col("patient_id").is_in(events(copied)), maintain_order=True
        ).with_columns(day=day, available_day=pl.when(late).then(4000).otherwise("available_day"))

    items = found(changed("texts", plant))
    assert [(item.code, item.row) for item in items] == [("A033", 5), ("A034", 5)]


@pytest.mark.parametrize("counts", [(3, 4, 10, 40), (0, 5, 5, 20), (5, 5, 5, 30), (2, 9, 15, 20)])
def test_the_chance_is_that_of_the_hypergeometric(counts: tuple[int, int, int, int]) -> None:
    right, drawn, happened, patients = counts
    expected = hypergeom.sf(right - 1, patients, happened, drawn)
    assert chance_of_as_many(right, drawn, happened, patients) == pytest.approx(expected, rel=1e-9)
