"""What comes of a study's predictions: numbers, tables, figures and the page."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sequela.evaluation.evaluate import evaluate
from sequela.report.page import write_report
from sequela.report.results import read_results
from sequela.report.risk_figure import write_risk_figure
from sequela.report.study_section import tables_of
from sequela.storage import fingerprint, write_json
from sequela.training.study import Study
from sequela.training.study_removals import removals
from sequela.training.study_runs import collect

RECORD = "study.json"


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
        "evaluated": fingerprint(study.folder / "predictions.parquet", settings.model_dump_json()),
    }
    path = study.folder / "evaluation.json"
    before = _record(study.folder) if path.is_file() else {}
    if before.get("evaluated") != record["evaluated"]:
        evaluate([predictions], settings).write(path)
        before = {}
    # Made with the predictions, so new ones come with new ones of these.
    record["removals"] = before.get("removals") or removals(study)
    write_json(study.folder / RECORD, record)
    evaluation: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    written = [
        path
        for table in tables_of(evaluation, record)
        for path in table.write(study.folder / "tables")
    ]
    written += write_risk_figure(read_results(evaluation), study.folder / "figures")
    report = write_report(study.folder, study.folder / "report.html", study.project.work)
    return Results(evaluation, tuple(written), report)


def _record(folder: Path) -> Mapping[str, Any]:
    path = folder / RECORD
    found: Mapping[str, Any] = {}
    if path.is_file():
        found = json.loads(path.read_text(encoding="utf-8"))
    return found
