"""From predictions to numbers and a page: evaluate, compare, report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from sequela.cli.answers import answer
from sequela.cli.words import CohortFolder, Work, column_mapping, configuration_file, work_folder
from sequela.errors import UsageError

if TYPE_CHECKING:
    import polars as pl

    from sequela.evaluation.evaluate import Evaluation
    from sequela.evaluation.subgroups import Division

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
        metavar="COLUMN",
        help="Numbers by subgroup too: a column of the CSV, or a cohort's covariate or site.",
    ),
]
Out = Annotated[Path | None, typer.Option(help="Where evaluation.json goes.")]


def add_to(app: typer.Typer) -> None:
    """Add these commands to the application."""
    app.command()(evaluate)
    app.command()(compare)
    app.command()(report)


def evaluate(sources: Sources, columns: Columns = None, by: By = None, out: Out = None) -> None:
    """Compute every number of some predictions, each with its interval, and print a page.

    Reads nothing but the predictions, so a colleague's R model is evaluated by the same command.
    """
    evaluation, first = _evaluated(sources, columns or (), by or ())
    path = out or first.with_name("evaluation.json")
    evaluation.write(path)
    content = evaluation.as_json()
    tables = [*performance(content), *subgroups(content)]
    answer(content, *tables, f"wrote {escape(str(path))}")


def compare(sources: Sources, columns: Columns = None) -> None:
    """Compare models on the same patients: differences, intervals, corrected p-values."""
    evaluation, _ = _evaluated(sources, columns or ())
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
    """Write one HTML page, which opens offline, of all that was made for a cohort."""
    from sequela.report.page import write_report

    folder = work_folder(cohort, work)
    path = write_report(folder, out or folder / "report.html")
    size = path.stat().st_size
    answer(
        {"report": path.name, "bytes": size},
        f"wrote {escape(str(path))} ({size / 1e6:.1f} MB, opens offline)",
    )


def _evaluated(
    words: Sequence[str], columns: Sequence[str], by: Sequence[str] = ()
) -> tuple[Evaluation, Path]:
    from sequela.evaluation.evaluate import evaluate as evaluated
    from sequela.evaluation.foreign import read_predictions
    from sequela.evaluation.settings import EvaluationSettings
    from sequela.settings import read_section

    named = [Path(word) for word in words if "=" not in word]
    if not named:
        raise UsageError("no predictions were named", hint="see `sequela evaluate --help`")
    overrides = [word for word in words if "=" in word]
    file = configuration_file(named[0], None) if named[0].is_dir() else None
    settings = read_section("evaluation", EvaluationSettings, file, overrides)
    paths = [_predictions(path) for path in named]
    mapping = dict(column_mapping(column) for column in columns)
    tables = [read_predictions(path, mapping) for path in paths]
    divisions = [_division(column, named, mapping) for column in by]
    return evaluated(tables, settings, divisions), paths[0]


def _division(column: str, sources: Sequence[Path], mapping: dict[str, str]) -> Division:
    """The subgroups of the first source that has the column: a table, or a cohort's covariates."""
    from sequela.evaluation.foreign import read_column
    from sequela.evaluation.subgroups import Division

    for source in sources:
        if source.is_dir():
            table = _covariate(source, column)
        else:
            table = read_column(source, column, mapping)
        if table is not None:
            return Division.of(column, table)
    raise UsageError(
        f"there is no column {column} beside these predictions",
        hint="name a column of the CSV, or the cohort folder and one of its covariates, or site",
    )


def _covariate(folder: Path, column: str) -> pl.DataFrame | None:
    import polars as pl

    from sequela.cohort.cohort import read_cohort

    cohort = read_cohort(folder)
    sites = [patient.site for patient in cohort.patients]
    names = [patient.patient_id for patient in cohort.patients]
    known = cohort.covariates
    if column == "site" and column not in known.columns:
        known = pl.DataFrame({"patient_id": names, "site": sites})
    return known.select("patient_id", column) if column in known.columns else None


def _predictions(path: Path) -> Path:
    if path.is_dir():
        path = work_folder(path, None) / "predictions.parquet"
    if not path.is_file():
        raise UsageError(
            f"there are no predictions {path.name} there",
            hint="name a predictions file, or run `sequela predict` on the cohort first",
        )
    return path


_SHOWN = {
    "auc": "AUC",
    "accuracy": "ACC",
    "sensitivity": "sens.",
    "specificity": "spec.",
    "harrell_c": "C",
}


def performance(content: dict[str, Any]) -> list[Table | str]:
    """The performance of every model as a table for the terminal, and what must be said with it."""
    models = content["models"]
    table = Table("model", *_SHOWN.values(), "HR", box=None, pad_edge=False)
    for model in models:
        ratio = model["risk_groups"].get("hazard_ratio") or {}
        cells = [stacked(model["metrics"][name]) for name in _SHOWN]
        table.add_row(escape(model["name"]), *cells, stacked(ratio, digits=2))
    warnings = {
        f"{model['name']}: {warning}"
        for model in content["models"]
        for warning in model["warnings"]
    }
    undefined = [
        f"undefined: {each['model']} {each['metric']}: {each['reason']}"
        for each in content["undefined"]
    ]
    return [table, *(escape(line) for line in (*sorted(warnings), *undefined[:10]))]


def subgroups(content: dict[str, Any]) -> list[Table]:
    """One table for each division of the patients: what every model does in each subgroup."""
    tables: dict[str, Table] = {}
    for model in content["models"]:
        for division in model["subgroups"]:
            column = division["column"]
            heads = (column, "patients", "events", "Harrell C", "observed/expected")
            table = tables.setdefault(column, Table("model", *map(escape, heads), box=None))
            for group in division["groups"]:
                cells = [interval(one) for one in group["metrics"].values()]
                counts = str(group["patients"]), str(group["events"])
                table.add_row(escape(model["name"]), escape(group["name"]), *counts, *cells)
    return list(tables.values())


def differences(comparison: dict[str, Any], *, only: str = "") -> Table:
    """One comparison as a table for the terminal; `only` keeps the pairs of one model."""
    title = f"{comparison['metric']} on {comparison['patients']} patients ({comparison['method']})"
    table = Table("first − second", "difference", "p", "p (Holm)", title=title, box=None)
    for pair in comparison["differences"]:
        if only and only not in (pair["first"], pair["second"]):
            continue
        p = pair["difference"]["p"]
        table.add_row(
            escape(f"{pair['first']} − {pair['second']}"),
            interval(pair["difference"], sign="+"),
            probability(p),
            probability(pair["p_holm"]),
        )
    return table


def interval(estimate: dict[str, Any], *, digits: int = 3, sign: str = "") -> str:
    """`0.712 (0.634–0.790)`, or `undefined`."""
    if not estimate or estimate["value"] is None:
        return "undefined"
    form = f"{sign}.{digits}f"
    value = f"{estimate['value']:{form}}"
    if estimate["low"] is None:
        return f"{value} (no interval)"
    return f"{value} ({estimate['low']:{form}} to {estimate['high']:{form}})"


def stacked(estimate: dict[str, Any], *, digits: int = 3) -> str:
    """The same on two lines, narrow enough for a table of many columns."""
    if not estimate or estimate["value"] is None:
        return "undefined"
    value = f"{estimate['value']:.{digits}f}"
    if estimate["low"] is None:
        return f"{value}\n[dim]no interval[/]"
    return f"{value}\n[dim]{estimate['low']:.2f}–{estimate['high']:.2f}[/]"


def probability(p: float | None) -> str:
    """A p-value for the terminal."""
    if p is None:
        return "undefined"
    return "<0.001" if p < 0.001 else f"{p:.3f}"
