"""Arguments and options that several commands share, so that they read the same everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

CohortFolder = Annotated[
    Path, typer.Argument(metavar="COHORT", help="A folder with cohort.yaml and its tables.")
]
Overrides = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[SECTION.KEY=VALUE]...", help="Settings that replace those of the configuration."
    ),
]
Work = Annotated[
    Path | None,
    typer.Option(help="Where everything that is made goes; COHORT/work if not given."),
]
Config = Annotated[
    Path | None,
    typer.Option(help="A YAML configuration; COHORT/sequela.yaml if there is one."),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Say what would run, how long and how large, and stop.")
]
