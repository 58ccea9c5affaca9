"""`report.html`: one file that opens offline and asks the network for nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from sequela import __version__
from sequela.report.calibration import calibration_figure, decision_figure
from sequela.report.claim_checks import claim_tables, in_short
from sequela.report.cohort_flow import count_flow, flow_diagram
from sequela.report.comparisons import read_comparisons
from sequela.report.estimates import Footnotes, printed
from sequela.report.evidence import Evidence, beside, gather
from sequela.report.explanation import Example, jpeg_uri, likeness, map_checks, read_examples
from sequela.report.learning_curves import learning_figure
from sequela.report.model_card import facts, is_synthetic, model_card, provenance
from sequela.report.names import label
from sequela.report.over_time import COLUMNS, COMPETING_COLUMNS, over_time_figure
from sequela.report.part_tables import Panel, part_tables, scatter_figures
from sequela.report.patient_figures import parts_figure, timeline_figure
from sequela.report.patient_page import of_patients_seen_once, overview
from sequela.report.protocol import duration, protocol_in_words
from sequela.report.quality import image_quality
from sequela.report.results import ModelResult, read_results
from sequela.report.study_section import study_section
from sequela.report.survival_curves import survival_figure
from sequela.report.tripod import checklist
from sequela.report.trust import trust
from sequela.report.wording import headline, main_model, verdict
from sequela.storage import write_text

METRICS = (
    ("auc", "AUC", "number"),
    ("accuracy", "Accuracy", "number"),
    ("sensitivity", "Sensitivity", "number"),
    ("specificity", "Specificity", "number"),
    ("hazard_ratio", "Hazard ratio", "ratio"),
    ("log_rank_p", "Log-rank p", "p"),
    ("wald_p", "Wald p", "p"),
)
PROBABILITY_METRICS = (
    ("harrell_c", "Harrell’s C", "number"),
    ("uno_c", "Uno’s C", "number"),
    ("brier", "Brier", "number"),
    ("ipa", "Brier gain (IPA)", "number"),
    ("observed_expected", "Observed / expected", "ratio"),
    ("calibration_slope", "Calibration slope", "ratio"),
    ("ici", "Calibration error (ICI)", "number"),
)
_SHEET_SIDE = 1200

Drawings = dict[str, list[tuple[Any, Markup]]]
"""Figures by kind: what each is about, and its SVG."""


def write_report(work: Path, out: Path, base: Path | None = None) -> Path:
    """Write the report of a work folder as one self-contained HTML file.

    Args:
        work: The folder with `evaluation.json` and what stands beside it.
        out: The file to write.
        base: The work folder with the division and the prepared images, where it is another.

    Returns:
        `out`.

    Raises:
        DataError: If there is no evaluation, or it cannot be read.
    """
    write_text(out, render(beside(gather(work, base), out)))
    return out


def render(evidence: Evidence, drawn: Drawings | None = None) -> str:
    """The page as HTML, the same bytes for the same evidence.

    Args:
        evidence: What it is made from.
        drawn: Its figures, where they are drawn already.
    """
    environment = Environment(
        loader=PackageLoader("sequela.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(footnotes=Footnotes, label=label, verdict=verdict)
    environment.filters.update(printed=printed, duration=duration)
    return environment.get_template("page.html").render(**_contents(evidence, drawn))


def _contents(evidence: Evidence, drawn: Drawings | None) -> dict[str, Any]:
    evaluation = evidence.evaluation
    results = read_results(evaluation)
    sets = read_comparisons(evaluation, results)
    about = _about(results)
    return {
        "version": __version__,
        "title": str(evidence.manifest.get("name") or "Predictions"),
        "synthetic": is_synthetic(evidence, results),
        "level": f"{float((evaluation.get('settings') or {}).get('level') or 0.95) * 100:g}",
        "metrics": METRICS,
        "probability_metrics": PROBABILITY_METRICS,
        "time_metrics": _time_metrics(results),
        "comparisons": sets,
        "headline": headline(results, sets),
        "protocol": protocol_in_words(evidence.config, evidence.split_settings, evaluation),
        "card": model_card(evidence, results),
        "tripod": checklist(evidence, results),
        "provenance": provenance(evidence, results),
        **about,
        **trust(evidence, results, about["main"]),
        "study": study_section(evaluation, evidence.study),
        **_cohort(evidence),
        **_explanations(evidence),
        **(drawings(evidence, results) if drawn is None else drawn),
    }


def _time_metrics(results: Sequence[ModelResult]) -> tuple[tuple[str, str, str], ...]:
    """The columns of the table of all time; those of competing causes where some compete."""
    competes = any(one.metrics["competing_c"].defined for one in results)
    return (*COLUMNS, *COMPETING_COLUMNS) if competes else COLUMNS


def _about(results: Sequence[ModelResult]) -> dict[str, Any]:
    days = [result.table_day for result in results if result.table_day is not None]
    return {
        "results": results,
        "main": main_model(results),
        "endpoint": results[0].endpoint if results else "the event",
        "table_time": duration(days[0]) if days else "",
        "facts": facts(results),
    }


def _cohort(evidence: Evidence) -> dict[str, Any]:
    flow = None if evidence.splits is None else count_flow(evidence.splits, evidence.exclusions)
    return {
        "flow": flow,
        "diagram": None if flow is None else Markup(flow_diagram(flow)),  # noqa: S704 escaped there
        "quality": None if evidence.quality is None else image_quality(evidence.quality),
        "contact_sheet": jpeg_uri(evidence.contact_sheet, _SHEET_SIDE),
    }


def _explanations(evidence: Evidence) -> dict[str, Any]:
    found = evidence.explanations
    folder = evidence.folder / "explanations"
    once = of_patients_seen_once(found)
    examples = () if once else read_examples(found, folder)
    return {
        "patients": [
            one for one in overview(found, evidence.pages) if (folder / one["page"]).is_file()
        ],
        "claim_tables": claim_tables(found),
        "in_short": in_short(found),
        "examples": [(one, _of_patient(one, row)) for row, one in enumerate(examples, start=1)],
        "examples_rule": str(found.get("rule") or ""),
        "map_checks": map_checks(found),
        "likeness": likeness(found),
        "part_tables": part_tables(found),
    }


def _of_patient(one: Example, row: int) -> list[tuple[str, Markup]]:
    """The drawings of an example patient, with what each shows."""
    drawn = []
    if len(one.risks) > 1:
        visits = [(exam.day, ", ".join(exam.missing)) for exam in one.exams]
        figure = timeline_figure(one.risks, visits, f"time-{row}", one.label)
        drawn.append(("Risk then and now", figure))
    if one.parts:
        figure = parts_figure(one.parts, f"weights-{row}", one.label)
        drawn.append(("What each part moved", figure))
    return [(caption, Markup(svg)) for caption, svg in drawn]  # noqa: S704 escaped there


def drawings(evidence: Evidence, results: Sequence[ModelResult]) -> Drawings:
    """The figures of the page by kind: what each is about, and its SVG."""
    curves, calibrations, decisions, learning, courses = [], [], [], [], []
    nodes = {node["name"]: node for node in evidence.evaluation.get("models", ())}
    for row, one in enumerate(_main_first(results)):
        if one.curves:
            drawing = survival_figure(one.curves, f"survival-{row}", one.label, one.endpoint)
            curves.append((one, drawing))
        if drawing := over_time_figure(nodes[one.name], f"over-time-{row}", one.label):
            courses.append((one, drawing))
        if one.calibration:
            drawing = calibration_figure(one.calibration, f"calibration-{row}", one.label)
            calibrations.append((one, drawing))
        if one.decision:
            decisions.append((one, decision_figure(one.decision, f"decision-{row}", one.label)))
    for row, run in enumerate(evidence.runs):
        if run.epochs:
            learning.append((run, learning_figure(run.epochs, f"learning-{row}", run.name)))
    drawn: dict[str, list[tuple[Any, str]]] = {
        "curves": curves,
        "calibrations": calibrations,
        "decisions": decisions,
        "learning": learning,
        "scatter": [
            (Panel(caption, name), drawing)
            for caption, name, drawing in scatter_figures(evidence.explanations)
        ],
        "courses": courses,
    }
    # Matplotlib escapes the text it writes into an SVG.
    return {
        name: [(about, Markup(svg)) for about, svg in pairs]  # noqa: S704
        for name, pairs in drawn.items()
    }


def _main_first(results: Sequence[ModelResult]) -> list[ModelResult]:
    """The order of drawings: the model the page is about, what it has to beat, the others."""
    main = main_model(results)
    return sorted(results, key=lambda one: (one is not main, one.variant != "cox-clinical"))
