"""The tables of any evaluation, as files: performance, groups of risk, subgroups, comparisons."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sequela.report.estimates import Estimate
from sequela.report.over_time import COLUMNS, COMPETING_COLUMNS
from sequela.report.protocol import duration
from sequela.report.results import ModelResult, read_results
from sequela.report.study_tables import study_tables
from sequela.report.tables import Cell, Column, Table

_PERFORMANCE = (
    Column("AUC", "auc", "number"),
    Column("Accuracy", "accuracy", "number"),
    Column("Sensitivity", "sensitivity", "number"),
    Column("Specificity", "specificity", "number"),
    Column("PPV", "ppv", "number"),
    Column("NPV", "npv", "number"),
    Column("Hazard ratio", "hazard_ratio", "ratio"),
    Column("Log-rank p", "log_rank_p", "p"),
    Column("Wald p", "wald_p", "p"),
)
_GROUPS = (
    Column("Model"),
    Column("Group"),
    Column("With the event", "event", "count"),
    Column("Free of it", "free", "count"),
    Column("Competing", "competing", "count"),
    Column("Censored before", "censored", "count"),
    Column("Incidence", "incidence", "percent"),
)
_SUBGROUPS = (
    Column("Model"),
    Column("By", "by"),
    Column("Subgroup", "subgroup"),
    Column("Patients", "patients", "count"),
    Column("Events", "events", "count"),
)


def evaluation_tables(evaluation: Mapping[str, Any]) -> tuple[Table, ...]:
    """Every table that the page shows of an evaluation; those that would be empty are left out.

    Args:
        evaluation: `evaluation.json`.
    """
    results = read_results(evaluation)
    found = (
        _performance(results, evaluation),
        _over_time(results),
        _risk_groups(results),
        _subgroups(evaluation),
        *study_tables(evaluation),
    )
    return tuple(table for table in found if table.rows)


def _performance(results: list[ModelResult], evaluation: Mapping[str, Any]) -> Table:
    several = any(one.counts.get("rows") != one.counts.get("patients") for one in results)
    counts: tuple[Column, ...]
    counts = (Column("Patients", "patients", "count"), Column("Events", "events", "count"))
    if several:
        counts = (
            counts[0],
            Column("Predictions", "predictions", "count"),
            Column("Followed by the event", "predictions_with_event", "count"),
        )
    wanted = ("patients", "rows", "events") if several else ("patients", "events")
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (
            one.label,
            *(one.counts.get(name) for name in wanted),
            *(one.metrics.get(column.key, Estimate.of(None)) for column in _PERFORMANCE),
        )
        for one in results
    )
    level = float((evaluation.get("settings") or {}).get("level") or 0.95) * 100
    notes = tuple(dict.fromkeys(one.definition for one in results if one.definition))
    caption = f"Performance, with {level:g}% intervals"
    return Table(
        "table-performance", caption, (Column("Model"), *counts, *_PERFORMANCE), rows, notes
    )


def _over_time(results: list[ModelResult]) -> Table:
    competes = any(one.metrics["competing_c"].defined for one in results)
    wanted = (*COLUMNS, *COMPETING_COLUMNS) if competes else COLUMNS
    columns = [Column(title.replace("’", "'"), key, style) for key, title, style in wanted]
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (one.label, *(one.metrics[column.key] for column in columns))
        for one in results
        if any(one.metrics[column.key].defined for column in columns)
    )
    return Table("table-over-time", "Over all time", (Column("Model"), *columns), rows, ())


def _risk_groups(results: list[ModelResult]) -> Table:
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (
            *(one.label, row.group, row.event, row.free, row.competing, row.excluded),
            row.incidence,
        )
        for one in results
        for row in one.table
    )
    days = [one.table_day for one in results if one.table_day is not None]
    when = f" at {duration(days[0])}" if days else ""
    notes = ("Groups are parted at the median risk of validation patients.",)
    return Table("table-risk-groups", f"What became of each risk group{when}", _GROUPS, rows, notes)


def _subgroups(evaluation: Mapping[str, Any]) -> Table:
    labels = {one.name: one.label for one in read_results(evaluation)}
    found = [
        (labels[node["name"]], str(division["column"]), group)
        for node in evaluation["models"]
        for division in node.get("subgroups") or ()
        for group in division["groups"]
    ]
    metrics = tuple(dict.fromkeys(name for _, _, group in found for name in group["metrics"]))
    named = {"harrell_c": "Harrell's C", "observed_expected": "Observed / expected"}
    columns = tuple(
        Column(named.get(name, name), name, "ratio" if "expected" in name else "number")
        for name in metrics
    )
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (
            *(model, by, str(group["name"]), group["patients"], group["events"]),
            *(Estimate.of(group["metrics"].get(name)) for name in metrics),
        )
        for model, by, group in found
    )
    return Table("table-subgroups", "Performance in subgroups", (*_SUBGROUPS, *columns), rows)
