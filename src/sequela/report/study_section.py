"""The page's section on a study: what was run, and the tables that are also files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sequela.report.estimates import Estimate
from sequela.report.kemm_tables import MODELS as KEMMS
from sequela.report.kemm_tables import Missing, kemm_tables
from sequela.report.lumin_tables import MODELS, Removals, lumin_tables
from sequela.report.study_tables import study_tables
from sequela.report.tables import Table

_ELSEWHERE = ("matrix", "pairs", "survival")
"""Endings of tables whose numbers the page shows in sections of their own."""


def tables_of(evaluation: Mapping[str, Any], study: Mapping[str, Any]) -> tuple[Table, ...]:
    """The tables of a study: those of the paper whose variants it runs, then those of any.

    Args:
        evaluation: `evaluation.json`.
        study: `study.json`.
    """
    entries: Mapping[str, str] = study["entries"]
    of_lumin = bool(MODELS & set(entries.values()))
    papers = (
        lumin_tables(evaluation, entries, removals_of(study), study.get("unaligned", ()))
        if of_lumin
        else ()
    )
    if KEMMS & set(entries.values()):
        warnings = study.get("warnings") or {}
        papers = (*papers, *kemm_tables(evaluation, entries, _missing(study), warnings))
    return (*papers, *study_tables(evaluation))


def removals_of(study: Mapping[str, Any]) -> Removals:
    """AUCs of trained models with something taken out at inference, by model and what it is."""
    found: Sequence[Mapping[str, Any]] = study.get("removals", ())
    return {(one["model"], one["part"]): Estimate.of(one["auc"]) for one in found}


def _missing(study: Mapping[str, Any]) -> Missing:
    """All numbers of trained models with a modality taken away, by model and modality."""
    found: Sequence[Mapping[str, Any]] = study.get("removals", ())
    return {
        (one["model"], one["part"]): {
            name: Estimate.of(value) for name, value in one.items() if isinstance(value, Mapping)
        }
        for one in found
    }


def study_section(
    evaluation: Mapping[str, Any], study: Mapping[str, Any]
) -> Mapping[str, Any] | None:
    """What the section shows; None where the folder is no study's."""
    if not study:
        return None
    seeds, folds = len(study["seeds"]), int(study["folds"])
    runs = f"{seeds} seed{'s' if seeds > 1 else ''} × {folds} fold{'s' if folds > 1 else ''}"
    tables = tables_of(evaluation, study)
    return {
        "sentence": f"{len(study['entries'])} entries, {runs} each, on the same patients. Counts "
        "of risk groups are of the rows of all runs.",
        "tables": [one for one in tables if not one.name.endswith(_ELSEWHERE)],
    }
