"""Hold numbers against what is known of them: ours against R's, a paper's against each other."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from sequela.cli.answers import answer
from sequela.errors import DataError

if TYPE_CHECKING:
    from sequela.evaluation.conformance import Conformance


def add_to(app: typer.Typer) -> None:
    """Add these commands to the application."""
    app.command()(conformance)


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
        raise typer.Exit(DataError.exit_code)


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
