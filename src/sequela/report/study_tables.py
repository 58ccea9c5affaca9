"""Tables of any study: ranking over time, spread over runs, and every model against every other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sequela.report.comparisons import ComparisonSet, read_comparisons
from sequela.report.estimates import printed
from sequela.report.names import label
from sequela.report.results import read_results
from sequela.report.tables import Cell, Column, Table

_SURVIVAL = (
    Column("Harrell's C", "harrell_c", "number"),
    Column("Uno's C", "uno_c", "number"),
    Column("Brier", "brier", "number"),
    Column("Brier gain", "ipa", "number"),
    Column("Observed / expected", "observed_expected", "ratio"),
    Column("Calibration slope", "calibration_slope", "ratio"),
)
_SPREAD = (
    Column("Model"),
    Column("Metric"),
    Column("Runs", "runs", "count"),
    Column("Mean", "mean", "number"),
    Column("SD over seeds", "over_seeds", "number"),
    Column("SD over folds", "over_folds", "number"),
    Column("Smallest", "smallest", "number"),
    Column("Largest", "largest", "number"),
)
_SPREAD_OF = ("auc", "harrell_c")


def study_tables(evaluation: Mapping[str, Any]) -> tuple[Table, ...]:
    """What every study has, whatever its models are."""
    results = read_results(evaluation)
    sets = read_comparisons(evaluation, results)
    matrices = [table for one in sets for table in (_matrix(one), _pairs(one))]
    return (_survival(evaluation), *_spread(evaluation), *matrices)


def _survival(evaluation: Mapping[str, Any]) -> Table:
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (one.label, *(one.metrics[column.name] for column in _SURVIVAL))
        for one in read_results(evaluation)
    )
    caption = "Ranking over time, and predicted probabilities"
    return Table("table-survival", caption, (Column("Model"), *_SURVIVAL), rows)


def _spread(evaluation: Mapping[str, Any]) -> list[Table]:
    """How far runs lie apart; no table where every model was run once."""
    nodes = {node["name"]: node for node in evaluation["models"]}
    rows: list[tuple[Cell, ...]] = []
    for one in read_results(evaluation):
        spread = nodes[one.name].get("spread") or {}
        for metric in _SPREAD_OF:
            if metric in spread:
                found = spread[metric]
                mean = one.metrics[metric].value
                rest = (found[column.name] for column in _SPREAD[4:])
                rows.append((one.label, label(metric), found["runs"], mean, *rest))
    if not rows:
        return []
    notes = (
        "Of the runs' own numbers. It is no part of the intervals over patients in the other "
        "tables: those say how another sample of patients would change a number, this how another "
        "seed or division would.",
    )
    return [Table("table-spread", "Spread over seeds and folds", _SPREAD, tuple(rows), notes)]


def _matrix(one: ComparisonSet) -> Table:
    columns = (Column("Row less column", "model"), *(Column(label(n), n) for n in one.columns))
    rows = tuple(
        (label(row), *(_beside(one, row, column) for column in one.columns)) for row in one.rows
    )
    notes = (
        f"{one.method}. p is corrected for the number of comparisons (Holm).",
        *(f"{label(name)} is left out: {reason}." for name, reason in one.refused),
    )
    caption = f"Differences in {label(one.metric)} between models on the same patients"
    return Table(f"table-{one.split}-{one.metric}-matrix", caption, columns, rows, notes)


def _beside(one: ComparisonSet, row: str, column: str) -> str | None:
    if one.names.index(column) >= one.names.index(row):
        return None
    pair = one.pair(row, column)
    if pair is None or pair.difference.value is None:
        return None
    value = printed(pair.difference.value, signed=True)
    return value if pair.p is None else f"{value} (p {printed(pair.p, 'p')})"


def _pairs(one: ComparisonSet) -> Table:
    columns = (
        Column("First", "first"),
        Column("Second", "second"),
        Column("Difference", "difference", "number", signed=True),
        Column("p", "p", "p"),
        Column("p (Holm)", "p_holm", "p"),
    )
    rows = tuple(
        (label(pair.left), label(pair.right), pair.difference, pair.difference.p, pair.p)
        for pair in one.pairs
    )
    caption = f"Every difference in {label(one.metric)}, first less second, with its interval"
    notes = (f"{one.method}.",)
    return Table(f"table-{one.split}-{one.metric}-pairs", caption, columns, rows, notes)
