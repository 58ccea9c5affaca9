"""Arguments and options that several commands share, so that they read the same everywhere."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from sequela.errors import UsageError

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
ForeignRun = Annotated[
    Path | None,
    typer.Option(
        "--run",
        help="A run trained on another cohort: this one is external, and the run's configuration "
        "holds if --config names no other.",
    ),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Say what would run, how long and how large, and stop.")
]


def packaged(name: str) -> str:
    """A text file that comes with the command line."""
    return resources.files("sequela.cli").joinpath(name).read_text(encoding="utf-8")


def work_folder(cohort: Path, work: Path | None) -> Path:
    """Where everything that is made for a cohort goes."""
    return work or cohort / "work"


def configuration_file(cohort: Path, config: Path | None) -> Path | None:
    """The configuration that was named, or the cohort's own if there is one."""
    own = cohort / "sequela.yaml"
    return config or (own if own.is_file() else None)


def configuration_of(cohort: Path, config: Path | None, run: Path | None) -> Path | None:
    """The configuration for a run of another cohort, if there is one; else the cohort's own.

    Raises:
        UsageError: If the run's folder holds none.
    """
    if config or run is None:
        return configuration_file(cohort, config)
    if not (run / "config.yaml").is_file():
        raise UsageError(
            f"{run.name} is not the folder of a run",
            hint="give WORK/runs/NAME of the cohort that it was trained on",
        )
    return run / "config.yaml"


def next_step(command: str, cohort: Path) -> str:
    """The line that says what to run next."""
    return f"next: sequela {command} {escape(str(cohort))}"
