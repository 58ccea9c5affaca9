"""Arguments and options that several commands share, so that they read the same everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

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


def work_folder(cohort: Path, work: Path | None) -> Path:
    """Where everything that is made for a cohort goes."""
    return work or cohort / "work"


def configuration_file(cohort: Path, config: Path | None) -> Path | None:
    """The configuration that was named, or the cohort's own if there is one."""
    own = cohort / "sequela.yaml"
    return config or (own if own.is_file() else None)


def next_step(command: str, cohort: Path) -> str:
    """The line that says what to run next."""
    return f"next: sequela {command} {escape(str(cohort))}"
