"""What comes of a study's predictions: numbers, tables, figures and the page."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sequela.evaluation.evaluate import evaluate
from sequela.interpretation.explain import FILE_NAME, explain
from sequela.models.build import variant as variant_of
from sequela.models.heads import head_warning
from sequela.report.files import write_report_and_files
from sequela.report.patient_page import write_patient_pages
from sequela.report.results import read_results
from sequela.report.risk_figure import write_risk_figure
from sequela.report.study_section import tables_of
from sequela.storage import fingerprint, write_json
from sequela.training.baselines import baseline_name
from sequela.training.run import Run
from sequela.training.study import Study, starts_aligned
from sequela.training.study_removals import removals
from sequela.training.study_runs import collect

RECORD = "study.json"
_EXPLAINED = ("lumin", "lumin-without-pretraining", "lumin-t", "lumin-m", "kemm")


@dataclass(frozen=True)
class Results:
    """Where a study's results stand.

    Attributes:
        evaluation: Every number.
        tables: Files of tables and figures.
        report: The page.
    """

    evaluation: dict[str, Any]
    tables: tuple[Path, ...]
    report: Path


def write_results(study: Study) -> Results:
    """Collect a study's predictions and write all that is made of them.

    Numbers that were computed from the same predictions with the same settings are kept.

    Raises:
        DataError: If no run has predicted anything.
    """
    predictions = collect(study)
    settings = study.project.configuration.evaluation
    entries = {entry.label: entry.variant for entry in study.entries}
    record: dict[str, Any] = {
        "name": study.name,
        "entries": entries,
        "seeds": sorted({member.seed for member in study.members}),
        "folds": len(study.project.folds),
        "unaligned": sorted({one.label for one in study.members if not starts_aligned(one)}),
        "warnings": _warnings(study),
        "evaluated": fingerprint(study.folder / "predictions.parquet", settings.model_dump_json()),
    }
    path = study.folder / "evaluation.json"
    before = _record(study.folder) if path.is_file() else {}
    if before.get("evaluated") != record["evaluated"]:
        evaluate([predictions], settings).write(path)
        before = {}
    # Made with the predictions, so new ones come with new ones of these.
    record["removals"] = before.get("removals") or removals(study)
    record["explained"] = _explained(study, before.get("explained"))
    write_json(study.folder / RECORD, record)
    evaluation: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    written = [
        path
        for table in tables_of(evaluation, record)
        for path in table.write(study.folder / "tables")
    ]
    written += write_risk_figure(read_results(evaluation), study.folder / "figures")
    report, *beside = write_report_and_files(
        study.folder, study.folder / "report.html", study.project.work
    )
    return Results(evaluation, (*written, *beside), report)


def _warnings(study: Study) -> dict[str, str]:
    """What to know of each entry's head before its numbers are believed."""
    found: dict[str, str] = {}
    for member in study.members:
        if baseline_name(member.variant):
            continue
        configuration = member.project.configuration
        config = variant_of(member.variant, configuration.model)
        warned = head_warning(config.head or configuration.head)
        if warned is not None:
            found[member.label] = warned
    return found


def _explained(study: Study, before: str | None) -> str | None:
    """Explain one run, the one that leaves the least of the model out; what stands already is kept.

    Returns:
        The fingerprint of the weights that were explained; None where no run has maps.
    """
    fold = study.project.folds[0]
    runs = {
        member.variant: (member.project, Run(member.project.run_folder(member.variant, fold)))
        for member in reversed(study.members)
        if member.variant in _EXPLAINED
    }
    for variant in _EXPLAINED:
        if variant in runs and runs[variant][1].finished:
            project, run = runs[variant]
            weights, folder = fingerprint(run.checkpoint), study.folder / "explanations"
            if weights != before or not (folder / FILE_NAME).is_file():
                explain(run, project, folder=folder)
            manifest = project.cohort.manifest
            write_patient_pages(folder, manifest.name, synthetic=manifest.synthetic)
            return weights
    return None


def _record(folder: Path) -> Mapping[str, Any]:
    path = folder / RECORD
    found: Mapping[str, Any] = {}
    if path.is_file():
        found = json.loads(path.read_text(encoding="utf-8"))
    return found
