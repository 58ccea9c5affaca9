"""Hold numbers against what is known of them: ours against R's, a paper's against each other."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from sequela.cli.answers import answer, end_with
from sequela.cli.sources import read_mapping
from sequela.errors import DataError, UsageError

if TYPE_CHECKING:
    from sequela.evaluation.conformance import Conformance
    from sequela.evaluation.printed_numbers import Span
    from sequela.evaluation.table_lint import TableLint


def add_to(app: typer.Typer) -> None:
    """Add these commands to the application."""
    app.command()(conformance)
    app.command()(lint_table)


def conformance(
    values: Annotated[
        list[Path],
        typer.Option(metavar="FILE", help="JSON of R's published values; may be given again."),
    ],
    data: Annotated[
        Path, typer.Option(metavar="DIR", help="The tables R computed them on, NAME.csv each.")
    ],
) -> None:
    """Recompute R's published values on their data and say how far ours lie from them.

    Exit code 3 says that a value whose data are there is missed by more than 1e-9 of itself.
    """
    from sequela.evaluation.conformance import conform

    found = conform(values, data)
    answer(found.as_json(), *_conformance_lines(found))
    if found.missed:
        end_with(DataError("a value whose data are there is missed", hint="see the answer"))


def lint_table(
    file: Annotated[Path, typer.Argument(metavar="RESULTS.csv", help="A table as printed.")],
    columns: Annotated[
        list[str] | None,
        typer.Option(
            "--column",
            metavar="OURS=THEIRS",
            help="What the table calls a column of ours: accuracy, auc, sensitivity, specificity, "
            "hazard_ratio, p, … and NAME_low, NAME_high.",
        ),
    ] = None,
    group: Annotated[
        str, typer.Option(help="The column that says which rows are about the same patients.")
    ] = "",
    prevalence: Annotated[
        str, typer.Option(help="Share of the patients with the event, as printed: 0.13.")
    ] = "",
    level: Annotated[float, typer.Option(help="Of the intervals.")] = 0.95,
    not_wald: Annotated[
        bool,
        typer.Option("--not-wald", help="Intervals of ratios are not symmetric on the log scale."),
    ] = False,
) -> None:
    """Find what cannot be in a published results table, whatever the unrounded numbers were.

    Exit code 3 says that there is a contradiction; remarks alone end with 0.
    """
    from sequela.evaluation.contradictions import Assumptions
    from sequela.evaluation.published_table import read_published_table
    from sequela.evaluation.table_lint import lint_table as linted

    if not 0 < level < 1:
        raise UsageError(f"--level {level:g} is not between 0 and 1", hint="write --level 0.95")
    assumed = Assumptions(level=level, wald=not not_wald, prevalence=_share(prevalence))
    mapping = read_mapping(columns or ())
    found = linted(read_published_table(file, mapping, group=group), assumed)
    answer(found.as_json(), *_lint_lines(found))
    if found.contradictions:
        end_with(DataError("the table contradicts itself", hint="ask its authors; see the answer"))


def _share(text: str) -> Span | None:
    from sequela.evaluation.printed_numbers import read_cell

    if not text:
        return None
    cell = read_cell(text)
    if cell is None or not cell.value.within(0.0, 1.0):
        raise UsageError(f"--prevalence {text} is no share", hint="write --prevalence 0.13")
    return cell.value


def _lint_lines(found: TableLint) -> list[str]:
    lines = [
        f"{f'row {one.row}, {one.label}' if one.row else one.label}: {one.code} {one.severity}: "
        f"{one.message}"
        for one in found.found
    ]
    table = found.table
    if table.unread:
        lines.append(f"no number in {len(table.unread)} cell(s): {'; '.join(table.unread[:5])}")
    if table.ignored:
        lines.append(f"columns not looked at: {', '.join(table.ignored)}")
    remarks = len(found.found) - len(found.contradictions)
    lines.append(
        f"{len(table.rows)} rows, {len(table.columns)} columns read: "
        f"{len(found.contradictions)} contradiction(s), {remarks} remark(s)"
    )
    return [escape(line) for line in lines]


def _conformance_lines(found: Conformance) -> list[str]:
    from sequela.evaluation.conformance import TOLERANCE

    lines = [
        f"missed: {value.id}: expected {value.expected!r}, got {value.got!r} {value.reason}"
        for value in found.missed
    ]
    lines += [
        f"not recomputed: {len(names)} value(s), for {reason}: {_shortened(names)}"
        for reason, names in found.reasons().items()
    ]
    lines += [f"note: {note}" for note in found.notes()]
    lines.append(
        f"{len(found.recomputed)} of {len(found.values)} values recomputed, "
        f"{len(found.missed)} missed (relative error above {TOLERANCE:g}); the largest relative "
        f"error is {found.largest_error:.1e}"
    )
    return [escape(line) for line in lines]


def _shortened(names: list[str]) -> str:
    more = f" and {len(names) - 3} more (--json names them)" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
