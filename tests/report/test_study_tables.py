"""A study's tables hold the evaluation's numbers, in the paper's rows, baselines on top."""

from __future__ import annotations

from typing import Any

import pytest
from evaluations import comparison, estimate, model

from sequela.report.estimates import Estimate
from sequela.report.lumin_tables import lumin_tables
from sequela.report.study_section import study_section, tables_of
from sequela.report.tables import Table

AUCS = {
    "kaplan-meier": 0.5,
    "cox-clinical": 0.6,
    "st-b": 0.66,
    "lumin-m": 0.7,
    "lumin-m-without-text": 0.64,
    "lumin-t": 0.68,
    "lumin": 0.72,
    "other-gate": 0.71,
}
STUDY = {
    "name": "tables",
    "entries": {name: "lumin" if name == "other-gate" else name for name in AUCS},
    "seeds": [0, 1],
    "folds": 1,
    "removals": [{"model": "lumin-m", "part": "text", "auc": estimate(0.55)}],
}
SPREAD = {"runs": 2, "over_seeds": 0.02, "over_folds": None, "smallest": 0.69, "largest": 0.73}


@pytest.fixture(scope="module")
def evaluation() -> dict[str, Any]:
    models = [{**model(name, auc), "spread": {"auc": SPREAD}} for name, auc in AUCS.items()]
    return {"models": models, "comparisons": [comparison(AUCS)], "undefined": []}


@pytest.fixture(scope="module")
def tables(evaluation: dict[str, Any]) -> dict[str, Table]:
    return {table.name: table for table in tables_of(evaluation, STUDY)}


def column(table: Table, heading: str) -> dict[str, Any]:
    place = [each.heading for each in table.columns].index(heading)
    return {str(row[0]): row[place] for row in table.rows}


def test_table_1_has_baselines_on_top_and_no_ablation(tables: dict[str, Table]) -> None:
    names = list(column(tables["table-1"], "AUC"))
    assert names[:2] == ["Kaplan–Meier", "Cox (clinical)"]
    assert "LUMIN" in names
    assert not any("without" in name for name in names)


def test_an_entry_of_another_name_is_described_as_its_variant(tables: dict[str, Table]) -> None:
    modules = column(tables["table-1"], "Module")
    assert modules[next(name for name in modules if "gate" in name.lower())] == "TE-DKE CM-DKE"


def test_every_number_of_the_models_has_an_interval(tables: dict[str, Table]) -> None:
    for name in ("table-1", "table-3", "table-4"):
        for value in column(tables[name], "AUC").values():
            assert isinstance(value, Estimate)
            assert value.has_interval


def test_ablations_are_named_as_in_the_paper(tables: dict[str, Table]) -> None:
    # Table 3's "w/o CM-DKE" is lumin-t and its "w/o TE-DKE" is lumin-m.
    auc = {name: value.value for name, value in column(tables["table-3"], "AUC").items()}
    assert auc == {"Full LUMIN": 0.72, "w/o CM-DKE": 0.68, "w/o TE-DKE": 0.7}
    parts = {name: value.value for name, value in column(tables["table-4"], "AUC").items()}
    assert parts == {"CM-DKE only": 0.7, "w/o K_text": 0.64, "TE-DKE only": 0.68}


def test_an_ablation_stands_against_its_baseline_and_beside_the_removal(
    tables: dict[str, Table],
) -> None:
    less = column(tables["table-4"], "Less the baseline")
    assert less["CM-DKE only"] is None
    assert less["w/o K_text"].value == pytest.approx(0.64 - 0.7)
    removed = column(tables["table-4"], "AUC, taken out at inference only")
    assert removed["w/o K_text"].value == 0.55
    assert removed["TE-DKE only"] is None


def test_spread_over_runs_stands_apart_from_intervals(tables: dict[str, Table]) -> None:
    spread = tables["table-spread"]
    assert set(column(spread, "SD over seeds").values()) == {0.02}
    assert set(column(spread, "SD over folds").values()) == {None}


def test_the_matrix_has_each_pair_once(tables: dict[str, Table]) -> None:
    matrix, pairs = (tables[f"table-test-auc-{kind}"] for kind in ("matrix", "pairs"))
    cells = [cell for row in matrix.rows for cell in row[1:] if cell is not None]
    compared = len(AUCS) - 1  # Kaplan–Meier is refused
    assert len(cells) == len(pairs.rows) == compared * (compared - 1) // 2


def test_a_study_of_other_models_has_no_tables_of_this_paper(evaluation: dict[str, Any]) -> None:
    other = {**STUDY, "entries": {"cox-clinical": "cox-clinical", "kemm": "kemm"}}
    names = {table.name for table in tables_of(evaluation, other)}
    assert "table-1" not in names
    assert "table-survival" in names


def test_a_study_that_left_pretraining_out_says_so(evaluation: dict[str, Any]) -> None:
    for unaligned, said in (((), "yes"), (("lumin",), "no")):
        asked = {**STUDY, "unaligned": list(unaligned)}
        (table,) = (one for one in tables_of(evaluation, asked) if one.name == "table-3")
        assert {row[0]: row[1] for row in table.rows}["Full LUMIN"] == said


def test_a_folder_that_is_no_study_has_no_section(evaluation: dict[str, Any]) -> None:
    assert study_section(evaluation, {}) is None
    assert lumin_tables(evaluation, {}, {})
