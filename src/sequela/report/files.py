"""What stands beside `report.html`: every table and figure as a file, checklist and model card."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from sequela.report.claim_checks import claim_tables
from sequela.report.cohort_flow import count_flow, flow_diagram
from sequela.report.evaluation_tables import evaluation_tables
from sequela.report.evidence import Evidence, beside, gather
from sequela.report.explanation import map_checks
from sequela.report.model_card import model_card
from sequela.report.page import Drawings, drawings, render
from sequela.report.part_tables import part_tables
from sequela.report.results import ModelResult, read_results
from sequela.report.svg import standalone
from sequela.report.tables import as_markdown
from sequela.report.tripod import checklist, checklist_table
from sequela.storage import write_text


def write_report_and_files(work: Path, out: Path, base: Path | None = None) -> tuple[Path, ...]:
    """Write the report of a work folder, and beside it `tables/`, `figures/` and `model-card.md`.

    Args:
        work: The folder with `evaluation.json` and what stands beside it.
        out: The page to write.
        base: The work folder with the division and the prepared images, where it is another.

    Returns:
        What was written, the page first.

    Raises:
        DataError: If there is no evaluation, or it cannot be read.
    """
    evidence = beside(gather(work, base), out)
    results = read_results(evidence.evaluation)
    drawn = drawings(evidence, results)
    write_text(out, render(evidence, drawn))
    return (out, *_write_files(evidence, results, drawn, out.parent))


def _write_files(
    evidence: Evidence, results: Sequence[ModelResult], drawn: Drawings, folder: Path
) -> list[Path]:
    tables = (
        *evaluation_tables(evidence.evaluation),
        checklist_table(checklist(evidence, results)),
        *(one for one in (map_checks(evidence.explanations),) if one is not None),
        *part_tables(evidence.explanations),
        *claim_tables(evidence.explanations),
    )
    written = [path for table in tables for path in table.write(folder / "tables")]
    for name, drawing in _figures(evidence, drawn):
        written.append(folder / "figures" / f"{name}.svg")
        write_text(written[-1], standalone(drawing))
    written.append(folder / "model-card.md")
    write_text(written[-1], _card(evidence, results))
    return written


def _figures(evidence: Evidence, drawn: Drawings) -> list[tuple[str, str]]:
    """A name and the SVG of every drawing of the page."""
    found = []
    if evidence.splits is not None:
        flow = count_flow(evidence.splits, evidence.exclusions)
        found.append(("cohort-flow", flow_diagram(flow)))
    names = {
        "curves": "survival",
        "calibrations": "calibration",
        "decisions": "net-benefit",
        "learning": "training",
        "scatter": "parts",
        "courses": "over-time",
    }
    for kind, name in names.items():
        for about, drawing in drawn[kind]:
            found.append((f"{name}-{_plain(about.name)}", str(drawing)))
    return found


def _plain(name: str) -> str:
    """A model's name as part of a file name."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "model"


def _card(evidence: Evidence, results: Sequence[ModelResult]) -> str:
    """The model card as Markdown."""
    title = str(evidence.manifest.get("name") or "Predictions")
    parts = [f"# Model card: {as_markdown(title)}"]
    for heading, sentences in model_card(evidence, results):
        parts.append(f"## {heading}")
        parts += [as_markdown(sentence) for sentence in sentences]
    return "\n\n".join(parts) + "\n"
