"""What keeps data safe and whole: verify."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from sequela.cli.answers import answer
from sequela.errors import DataError


def add_to(app: typer.Typer) -> None:
    """Add these commands to the application."""
    for command in (verify,):
        app.command()(command)


def verify(
    folder: Annotated[
        Path,
        typer.Argument(help="A run's folder, or a work folder.", exists=True, file_okay=False),
    ],
) -> None:
    """Check that every file is what was written, and that runs and tables belong together."""
    from sequela.training import verification

    found = verification.verify(folder.resolve())
    if found.faults:
        raise DataError(
            f"{len(found.faults)} thing(s) in {folder.resolve().name} are not as they were written",
            hint="restore the file, or run the command that made it again",
            items=found.faults,
        )
    answer(asdict(found), f"{len(found.sealed)} sealed folder(s): every file is as it was written")
