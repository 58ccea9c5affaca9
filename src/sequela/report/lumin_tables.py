"""Tables 1 to 4 of the LUMIN paper, with an interval on every number and baselines on top."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sequela.models.baselines import BASELINES
from sequela.report.comparisons import ComparisonSet, read_comparisons
from sequela.report.estimates import Estimate
from sequela.report.names import ORDER
from sequela.report.results import ModelResult, read_results
from sequela.report.tables import Cell, Column, Table

Removals = Mapping[tuple[str, str], Estimate]
"""By model and part: the AUC of the trained model where the part is taken out at inference."""

_MODULES = {"lumin-m": "CM-DKE", "lumin-t": "TE-DKE", "lumin": "TE-DKE CM-DKE"}
_MODALITIES = {
    "kaplan-meier": "none",
    "timing-only": "visits",
    "cox-clinical": "clinical",
    "resnet50": "image",
    "st-i": "image",
    "st-r": "EHR",
    **dict.fromkeys(("st-b", "l-b", *_MODULES), "I&R"),
}
MODELS = frozenset({*_MODALITIES} - {*BASELINES})
"""Variants of which one at least is in a study that has these tables."""
_METRICS = (
    Column("ACC", "accuracy", "number"),
    Column("AUC", "auc", "number"),
    Column("Sensitivity", "sensitivity", "number"),
    Column("Specificity", "specificity", "number"),
)
_ABLATION = (
    Column("Model variant", "model"),
    Column("Pretrain", "pretrain"),
    Column("CM-DKE", "cm_dke"),
    Column("TE-DKE", "te_dke"),
    Column("AUC", "auc", "number"),
    Column("Baseline", "baseline"),
    Column("Less the baseline", "difference", "number", signed=True),
    Column("p (Holm)", "p_holm", "p"),
    Column("AUC, taken out at inference only", "removed", "number"),
)
_YES, _NO, _PARTLY = "yes", "no", "partly"
_MODULE_ROWS = (
    ("lumin", "Full LUMIN", (_YES, _YES, _YES), ""),
    ("lumin-without-pretraining", "w/o Pretraining", (_NO, _YES, _YES), ""),
    ("lumin-t", "w/o CM-DKE", (_YES, _NO, _YES), ""),
    ("lumin-m", "w/o TE-DKE", (_YES, _YES, _NO), "te-dke"),
)
_PARTS = {
    "complementary": "w/o K_comp",
    "image": "w/o K_img",
    "text": "w/o K_text",
    "shared": "w/o K_shared",
    "varying": "w/o K_var",
    "invariant": "w/o K_inv",
    "first": "w/o K_T1",
    "second": "w/o K_T2",
}
_CROSS_MODAL = ("complementary", "image", "text", "shared")
_TEMPORAL = ("varying", "invariant", "first", "second")

Row = tuple[str, str, tuple[str, str, str], str]


def lumin_tables(
    evaluation: Mapping[str, Any],
    variants: Mapping[str, str],
    removals: Removals,
    unaligned: Collection[str] = (),
) -> tuple[Table, ...]:
    """The paper's tables, of the rows that were run.

    Args:
        evaluation: `evaluation.json`.
        variants: By a model's name, where it is another than its variant's.
        removals: For the column beside the retrained ablations.
        unaligned: Models whose encoders began without alignment, against their variant's custom.
    """
    results = {one.name: one for one in read_results(evaluation) if one.split == "test"}
    sets = read_comparisons(evaluation, list(results.values()))
    by_auc = next((one for one in sets if one.metric == "auc" and one.split == "test"), None)
    compared = _in_order(results)
    tables = [_performance(compared, variants), _hazard_ratios(compared)]
    if "lumin" in results:
        tables.append(_modules(results, by_auc, removals, unaligned))
    if {"lumin-m", "lumin-t"} & results.keys():
        tables.append(_parts(results, by_auc, removals, unaligned))
    return tuple(tables)


def _in_order(results: Mapping[str, ModelResult]) -> list[ModelResult]:
    """What is compared: the paper's rows, and what it has no row for; ablations are Table 3's."""
    ours = {name for name, *_ in _MODULE_ROWS} - set(ORDER)
    return [
        one for name, one in results.items() if name not in ours and "-without-" not in one.name
    ]


def _performance(results: Sequence[ModelResult], variants: Mapping[str, str]) -> Table:
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (
            one.label,
            _MODULES.get(variants.get(one.name, one.name), "NA"),
            _MODALITIES.get(variants.get(one.name, one.name), "–"),
            *(one.metrics[column.name] for column in _METRICS),
        )
        for one in results
    )
    columns = (Column("Model"), Column("Module"), Column("Modality"), *_METRICS)
    notes = (
        "Above the models, what they have to beat. I: image, R: EHR. Each number is a mean over "
        "runs; its interval is over patients.",
    )
    caption = "Performance of different models for recurrence prediction (the paper's Table 1)"
    return Table("table-1", caption, columns, rows, notes)


def _hazard_ratios(results: Sequence[ModelResult]) -> Table:
    columns = (
        Column("Model"),
        Column("HR (95% CI)", "hazard_ratio", "ratio"),
        Column("p (log-rank)", "log_rank_p", "p"),
        Column("p (Wald)", "wald_p", "p"),
    )
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (one.label, *(one.metrics[column.name] for column in columns[1:])) for one in results
    )
    notes = ("High against low risk, divided at the median risk of each run's validation rows.",)
    return Table("table-2", "Risk stratification (the paper's Table 2)", columns, rows, notes)


def _modules(
    results: Mapping[str, ModelResult],
    by_auc: ComparisonSet | None,
    removals: Removals,
    unaligned: Collection[str],
) -> Table:
    rows = [
        _ablation(results[row[0]], _begun(row, unaligned), "lumin", by_auc, removals)
        for row in _MODULE_ROWS
        if row[0] in results
    ]
    caption = "Ablation of the backbone and the major modules (the paper's Table 3)"
    return Table("table-3", caption, _ABLATION, tuple(rows), _NOTES)


def _parts(
    results: Mapping[str, ModelResult],
    by_auc: ComparisonSet | None,
    removals: Removals,
    unaligned: Collection[str],
) -> Table:
    groups: tuple[tuple[str, str, tuple[str, ...], tuple[str, str, str]], ...] = (
        ("lumin-m", "CM-DKE only", _CROSS_MODAL, (_YES, _PARTLY, _NO)),
        ("lumin-t", "TE-DKE only", _TEMPORAL, (_YES, _NO, _PARTLY)),
    )
    rows: list[tuple[Cell, ...]] = []
    for base, name, parts, marks in groups:
        whole = tuple(_YES if mark == _PARTLY else mark for mark in marks)
        wanted: list[Row] = [(base, name, (whole[0], whole[1], whole[2]), "")]
        wanted += [(f"{base}-without-{part}", _PARTS[part], marks, part) for part in parts]
        rows += [
            _ablation(results[row[0]], _begun(row, unaligned), base, by_auc, removals)
            for row in wanted
            if row[0] in results
        ]
    caption = "Ablation of the parts of CM-DKE and TE-DKE (the paper's Table 4)"
    return Table("table-4", caption, _ABLATION, tuple(rows), _NOTES)


_NOTES = (
    "Each row was trained anew without what it leaves out. The last column takes the same out of "
    "the baseline's trained model instead, which asks how much that model leans on it.",
)


def _begun(row: Row, unaligned: Collection[str]) -> Row:
    """The row, which says `no` to pre-training where the study left it out."""
    name, title, (aligned, *modules), part = row
    return name, title, (_NO if name in unaligned else aligned, modules[0], modules[1]), part


def _ablation(
    result: ModelResult, row: Row, base: str, by_auc: ComparisonSet | None, removals: Removals
) -> tuple[Cell, ...]:
    name, title, marks, part = row
    pair = by_auc.pair(name, base) if by_auc and name != base else None
    return (
        title,
        *marks,
        result.metrics["auc"],
        _YES if name == base else _NO,
        pair.difference if pair else None,
        pair.p if pair else None,
        removals.get((base, part)),
    )
