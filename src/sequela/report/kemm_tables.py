"""The table of KEMM's paper, rows by what they read, and one of modalities that are missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

from sequela.models.baselines import BASELINES
from sequela.report.comparisons import read_comparisons
from sequela.report.estimates import Estimate
from sequela.report.results import ModelResult, read_results
from sequela.report.tables import Cell, Column, Table

Missing = Mapping[tuple[str, str], Mapping[str, Estimate]]
"""By model and modality: numbers of the trained model where nobody has the modality."""

GROUPS: Mapping[str, tuple[str, ...]] = {
    "nothing": ("kaplan-meier",),
    "clinical": ("cox-clinical", "clinical-only"),
    "genes": ("snn", "genes-only"),
    "slides": ("abmil", "clam", "transmil", "slide-only"),
    "report": ("text-only", "report-only", "stage-only"),
    "several, no network": (
        "cox-report",
        "cox-expression",
        "coxnet",
        "cox-expression-mean",
        "boosting-expression",
    ),
    "several": (
        *("mean-fusion", "porpoise", "mcat", "motcat", "cmta", "survpath", "mmp"),
        *("kemm-bias", "kemm-gate", "kemm-late-concat", "kemm-none"),
        *(
            "kemm-one-head",
            "kemm-relu",
            "kemm-without-skip",
            "kemm-report-skip",
            "kemm",
        ),
    ),
    "control": (
        *("learned-queries", "wrong-cancer-pbk", "shuffled-reports", "pbk-only", "without-pbk"),
        *("without-report", "without-genes", "without-clinical"),
    ),
}
"""What a row reads, in the order of the table: what has to be beaten stands on top."""
MODELS = frozenset(chain.from_iterable(GROUPS.values())) - {*BASELINES}
"""Variants of which one at least is in a study that has these tables."""
_PLACES = {name: place for place, name in enumerate(chain.from_iterable(GROUPS.values()))}
_GROUP = {name: group for group, names in GROUPS.items() for name in names}
_NUMBERS = (
    Column("C", "harrell_c", "number"),
    Column("SD over folds", "sd_over_folds", "number"),
    Column("Uno's C", "uno_c", "number"),
    Column("Brier", "brier", "number"),
    Column("IBS", "integrated_brier", "number"),
    Column("C less KEMM's", "less", "number", signed=True),
    Column("p", "p", "p"),
)
_REFERENCE = "kemm"


def kemm_tables(
    evaluation: Mapping[str, Any],
    entries: Mapping[str, str],
    missing: Missing,
    warnings: Mapping[str, str],
) -> tuple[Table, ...]:
    """The tables of a study that runs KEMM or a rival of it.

    Args:
        evaluation: `evaluation.json`.
        entries: The variant of each model by its name.
        missing: For the table of missing modalities.
        warnings: What to know of a model's head, by its name.
    """
    notes = tuple(f"{name}: {said}." for name, said in warnings.items())
    table = cohort_table({"": evaluation}, entries, notes)
    return (table, *_missing(evaluation, missing))


def cohort_table(
    cohorts: Mapping[str, Mapping[str, Any]],
    entries: Mapping[str, str],
    notes: Sequence[str] = (),
) -> Table:
    """Rows grouped by what they read, a block of columns a cohort.

    Args:
        cohorts: `evaluation.json` of each cohort by its name.
        entries: The variant of each model by its name.
        notes: Beside the table's own.
    """
    found = {
        cohort: {one.name: one for one in read_results(evaluation) if one.split == "test"}
        for cohort, evaluation in cohorts.items()
    }
    names = {name: None for results in found.values() for name in results}
    blocks = {cohort: _block(cohorts[cohort], found[cohort]) for cohort in cohorts}
    nothing = (None,) * len(_NUMBERS)
    rows: list[tuple[Cell, ...]] = []
    for name in sorted(names, key=lambda name: _place(entries.get(name, name), name)):
        group = _GROUP.get(entries.get(name, name), "other")
        shown = next(results[name].label for results in found.values() if name in results)
        cells = (blocks[cohort].get(name, nothing) for cohort in cohorts)
        rows.append((group, shown, *chain.from_iterable(cells)))
    columns = (Column("Reads"), Column("Model"), *_columns(list(cohorts)))
    return Table(
        "table-kemm",
        "Survival by what is read, clinical rows on top (the layout of KEMM's paper)",
        columns,
        tuple(rows),
        (*_NOTES, *notes),
    )


_NOTES = (
    "C (Harrell's), Uno's C and the Brier score are means over the runs' test patients, their "
    "intervals over patients; the SD is that of the folds' C, seeds of a fold averaged. IBS is the "
    "Brier score over the days of the table over time.",
    "C less KEMM's is over folds, seeds averaged, its variance corrected for the training patients "
    "that folds share (Nadeau & Bengio); p is not corrected for the number of rows.",
)


def _columns(cohorts: Sequence[str]) -> tuple[Column, ...]:
    return tuple(
        Column(
            f"{cohort} {column.heading}".strip(),
            f"{cohort}_{column.key}".strip("_").lower(),
            column.style,
            column.signed,
        )
        for cohort in cohorts
        for column in _NUMBERS
    )


def _place(variant: str, name: str) -> tuple[int, str]:
    return _PLACES.get(variant, len(_PLACES)), name


def _block(
    evaluation: Mapping[str, Any], results: Mapping[str, ModelResult]
) -> dict[str, tuple[Cell, ...]]:
    """By model, the cells of one cohort."""
    nodes = {node["name"]: node for node in evaluation["models"] if node["split"] == "test"}
    sets = read_comparisons(evaluation, list(results.values()))
    by_c = next((one for one in sets if (one.metric, one.split) == ("harrell_c", "test")), None)
    found: dict[str, tuple[Cell, ...]] = {}
    for name, one in results.items():
        spread = (nodes[name].get("spread") or {}).get("harrell_c") or {}
        pair = by_c.pair(name, _REFERENCE) if by_c and name != _REFERENCE else None
        less = pair.over_runs if pair else None
        numbers = (one.metrics.get(key) for key in ("uno_c", "brier", "integrated_brier"))
        first = (one.metrics["harrell_c"], spread.get("over_folds"))
        found[name] = (*first, *numbers, less, less.p if less else None)
    return found


def _missing(evaluation: Mapping[str, Any], missing: Missing) -> list[Table]:
    """What each model reaches where a modality is not there; nothing where none was left out."""
    results = {one.name: one for one in read_results(evaluation) if one.split == "test"}
    rows: list[tuple[Cell, ...]] = []
    for base in dict.fromkeys(base for base, _ in missing):
        metrics = results[base].metrics
        rows.append((results[base].label, "nothing", *_twice(metrics, None)))
        for (of, part), numbers in missing.items():
            anew = results.get(f"without-{part}")
            if of == base:
                told = _twice(anew.metrics if anew else {}, numbers)
                rows.append((results[base].label, part, *told))
    if not rows:
        return []
    columns = (
        Column("Model"),
        Column("Nobody has", "missing"),
        Column("C, trained without", "harrell_c", "number"),
        Column("C, the model trained with", "harrell_c_same", "number"),
        Column("Brier, trained without", "brier", "number"),
        Column("Brier, the model trained with", "brier_same", "number"),
    )
    notes = (
        "Of the same test patients. The model trained with a modality gets patients who lack it, "
        "as it may meet them; the one trained without has never seen it.",
    )
    caption = "A missing modality: trained without it, or predicted without it"
    return [Table("table-missing", caption, columns, tuple(rows), notes)]


def _twice(anew: Mapping[str, Estimate], same: Mapping[str, Estimate] | None) -> tuple[Cell, ...]:
    found: list[Cell] = []
    for name in ("harrell_c", "brier"):
        found += [anew.get(name), None if same is None else same.get(name)]
    return tuple(found)
