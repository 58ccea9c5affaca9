"""KEMM's table: what has to be beaten on top, the corrected difference, what is missing."""

from __future__ import annotations

from typing import Any

import pytest
from evaluations import comparison, estimate, model

from sequela.models.build import VARIANTS
from sequela.models.kemm_variants import CHANGES
from sequela.models.peers import WORDS
from sequela.report.estimates import Estimate
from sequela.report.kemm_tables import MODELS, cohort_table
from sequela.report.study_section import tables_of
from sequela.report.tables import Table

C = {
    "kemm": 0.79,
    "kemm-4-bins": 0.75,
    "without-genes": 0.74,
    "learned-queries": 0.78,
    "cox-expression": 0.785,
    "kaplan-meier": 0.5,
    "snn": 0.6,
    "cox-clinical": 0.74,
}
STUDY = {
    "name": "tables",
    "entries": {name: "kemm" if name == "kemm-4-bins" else name for name in C},
    "seeds": [0],
    "folds": 5,
    "warnings": {"kemm-4-bins": "it overstates survival"},
    "removals": [
        {"model": "kemm", "part": "genes", "harrell_c": estimate(0.7), "brier": estimate(0.2)}
    ],
}
SPREAD = {"runs": 5, "over_seeds": None, "over_folds": 0.05, "smallest": 0.7, "largest": 0.8}


@pytest.fixture(scope="module")
def evaluation() -> dict[str, Any]:
    models = [{**model(name, c), "spread": {"harrell_c": SPREAD}} for name, c in C.items()]
    pairs = comparison(C)
    pairs["metric"] = "harrell_c"
    for pair in pairs["differences"]:
        value = C[pair["first"]] - C[pair["second"]]
        pair["over_runs"] = estimate(value, 0.02, p=0.03)
    return {"models": models, "comparisons": [pairs], "undefined": []}


@pytest.fixture(scope="module")
def tables(evaluation: dict[str, Any]) -> dict[str, Table]:
    return {table.name: table for table in tables_of(evaluation, STUDY)}


def cells(table: Table, model: str) -> dict[str, Any]:
    row = next(row for row in table.rows if row[1] == model)
    return dict(zip((column.heading for column in table.columns), row, strict=True))


def test_rows_are_grouped_by_what_they_read_and_kemm_stands_below(tables: dict[str, Table]) -> None:
    groups = [str(row[0]) for row in tables["table-kemm"].rows]
    assert groups[:4] == ["nothing", "clinical", "genes", "several, no network"]
    assert groups[4:] == ["several", "several", "control", "control"]


def test_a_difference_is_the_row_less_kemm_over_folds(tables: dict[str, Table]) -> None:
    found = cells(tables["table-kemm"], "Cox (clinical and expression)")
    less = found["C less KEMM's"]
    assert isinstance(less, Estimate)
    assert less.value == pytest.approx(-0.005)
    assert (less.low, less.high) == (pytest.approx(-0.025), pytest.approx(0.015))
    assert (found["p"], found["SD over folds"]) == (0.03, 0.05)
    assert cells(tables["table-kemm"], "KEMM")["C less KEMM's"] is None


def test_what_to_know_of_a_head_stands_under_the_table(tables: dict[str, Table]) -> None:
    assert "kemm-4-bins: it overstates survival." in tables["table-kemm"].notes


def test_every_cohort_has_its_columns(evaluation: dict[str, Any]) -> None:
    fewer = {**evaluation, "models": evaluation["models"][1:]}
    table = cohort_table({"KIRC": evaluation, "LUAD": fewer}, STUDY["entries"])  # type: ignore[arg-type]
    assert len(table.columns) == 2 + 2 * 7 == len(table.rows[0])
    kemm = cells(table, "KEMM")
    assert kemm["KIRC C"].value == pytest.approx(C["kemm"] - 0.0)
    assert kemm["LUAD C"] is None
    assert "kirc_harrell_c,kirc_harrell_c_low" in table.csv().splitlines()[0]


def test_the_missing_modality_table_has_both_questions(tables: dict[str, Table]) -> None:
    whole, less = tables["table-missing"].rows
    assert whole[1:3] == ("nothing", cells(tables["table-kemm"], "KEMM")["C"])
    assert less[1] == "genes"
    assert less[2] == cells(tables["table-kemm"], "without-genes")["C"]
    assert isinstance(less[3], Estimate)
    assert less[3].value == 0.7


def test_every_variant_has_a_place() -> None:
    assert {*CHANGES, *WORDS} == MODELS <= set(VARIANTS)
