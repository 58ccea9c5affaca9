"""`report.html`: one file that opens offline and asks the network for nothing."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from sequela import __version__
from sequela.report.estimates import Footnotes, printed
from sequela.report.evidence import Evidence, gather
from sequela.report.results import read_results
from sequela.report.survival_curves import survival_figure
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


def write_report(work: Path, out: Path) -> Path:
    """Write the report of a work folder as one self-contained HTML file.

    Args:
        work: The folder with `evaluation.json` and what stands beside it.
        out: The file to write.

    Returns:
        `out`.

    Raises:
        DataError: If there is no evaluation, or it cannot be read.
    """
    write_text(out, render(gather(work)))
    return out


def render(evidence: Evidence) -> str:
    """The page as HTML, the same bytes for the same evidence."""
    environment = Environment(
        loader=PackageLoader("sequela.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["footnotes"] = Footnotes
    environment.filters["printed"] = printed
    results = read_results(evidence.evaluation)
    curves = [
        (result, Markup(survival_figure(result.curves, f"km-{row}", result.label, "recurrence")))  # noqa: S704 matplotlib escapes its text
        for row, result in enumerate(results)
        if result.curves
    ]
    return environment.get_template("page.html").render(
        version=__version__,
        evaluation=evidence.evaluation,
        results=results,
        metrics=METRICS,
        curves=curves,
    )
