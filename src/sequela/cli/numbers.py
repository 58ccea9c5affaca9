"""From predictions to numbers and a page: evaluate, compare, report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from sequela.cli.answers import answer
from sequela.cli.number_tables import differences, page
from sequela.cli.sources import read_divisions, read_mapping, read_settings, read_sources
from sequela.cli.words import CohortFolder, Work, work_folder
from sequela.errors import UsageError

if TYPE_CHECKING:
    from sequela.cli.sources import Source
    from sequela.evaluation.evaluate import Evaluation

Sources = Annotated[
    list[str],
    typer.Argument(
        metavar="PREDICTIONS... [evaluation.KEY=VALUE]...",
        help="Predictions, Parquet or CSV, of any model; or a cohort folder that has some.",
    ),
]
Columns = Annotated[
    list[str] | None,
    typer.Option(
        "--column",
        metavar="OURS=THEIRS",
        help="What a CSV calls a column of ours: patient_id, time, event, risk, variant, split, …",
    ),
]
By = Annotated[
    list[str] | None,
    typer.Option(
        metavar="COLUMN[,COLUMN]...",
        help="Numbers by subgroup: columns of the CSV; or, of a cohort, covariates, site, vendor, "
        "modality, available (images, texts or both). "
        "A cohort has the usual ones by default; `--by ''` asks for none.",
    ),
]
Threshold = Annotated[
    float | None,
    typer.Option(
        help="A risk at or above which a patient is called positive, stated by the model's owner; "
        "without it, validation rows choose it."
    ),
]
Accept = Annotated[
    bool,
    typer.Option(
        "--accept-biased-design",
        help="Outcome-dependent sampling is known and meant: every number carries the mark.",
    ),
]
Out = Annotated[
    Path | None,
    typer.Option(help="Where evaluation.json goes; of a file, report.html stands beside it."),
]


def add_to(app: typer.Typer) -> None:
    """Add these commands to the application."""
    app.command()(evaluate)
    app.command()(compare)
    app.command()(report)


def evaluate(
    sources: Sources,
    columns: Columns = None,
    by: By = None,
    threshold: Threshold = None,
    out: Out = None,
    accept: Accept = False,
) -> None:
    """Compute every number of some predictions, each with its interval, and print a page.

    Reads nothing but the predictions, so a colleague's R model is evaluated by the same command.
    What a cohort folder knows besides is used too: subgroups, and whether its design gives the
    outcome away.
    """
    evaluation, read = _evaluated(sources, columns, by, accept=accept, threshold=threshold)
    path = out or read[0].path.with_name("evaluation.json")
    evaluation.write(path)
    written = [path, *_reported(path, read)]
    content = evaluation.as_json()
    names = " and ".join(escape(str(each)) for each in written)
    answer(content, *page(content, divided=bool(by)), f"wrote {names}")


def compare(
    sources: Sources,
    columns: Columns = None,
    threshold: Threshold = None,
    accept: Accept = False,
) -> None:
    """Compare models on the same patients: differences, intervals, corrected p-values."""
    evaluation, _ = _evaluated(sources, columns, ("",), accept=accept, threshold=threshold)
    comparisons: Any = evaluation.as_json()["comparisons"]
    if not any(comparison["differences"] for comparison in comparisons):
        raise UsageError(
            "there are no two models on the same patients in these predictions",
            hint="name the predictions of two models or more",
            items=tuple(
                f"{refused['name']}: {refused['reason']}"
                for comparison in comparisons
                for refused in comparison["refused"]
            ),
        )
    answer({"comparisons": comparisons}, *(differences(each) for each in comparisons))


def report(
    cohort: CohortFolder,
    work: Work = None,
    out: Annotated[Path | None, typer.Option(help="The page; WORK/report.html.")] = None,
) -> None:
    """Write one HTML page, which opens offline, of all that was made for a cohort.

    Beside it: tables/ (Markdown, LaTeX and CSV, the TRIPOD+AI checklist among them), figures/
    (SVG) and model-card.md.
    """
    from sequela.report.files import write_report_and_files

    folder = work_folder(cohort, work)
    path, *files = write_report_and_files(folder, out or folder / "report.html")
    size = path.stat().st_size
    answer(
        {
            "report": path.name,
            "bytes": size,
            "files": [file.relative_to(path.parent).as_posix() for file in files],
        },
        f"wrote {escape(str(path))} ({size / 1e6:.1f} MB, opens offline)",
        f"wrote {len(files)} files beside it: tables/, figures/ and model-card.md",
    )


def _evaluated(
    words: Sequence[str],
    columns: Sequence[str] | None,
    by: Sequence[str] | None,
    *,
    accept: bool,
    threshold: float | None,
) -> tuple[Evaluation, list[Source]]:
    from sequela.evaluation.evaluate import evaluate as evaluated

    mapping = read_mapping(columns or ())
    settings = read_settings(words, accept=accept, threshold=threshold)
    sources = read_sources(words, mapping)
    divisions = read_divisions(by or (), sources, mapping)
    tables = [source.predictions for source in sources]
    return evaluated(tables, settings, divisions), sources


def _reported(path: Path, sources: Sequence[Source]) -> list[Path]:
    """The page beside `evaluation.json` of a file; of a cohort, `report` writes one of all."""
    if not all(source.foreign for source in sources):
        return []
    from sequela.report.page import write_report

    return [write_report(path, path.with_name("report.html"))]
