"""Bring data in and look at them: init, simulate, import, check, prepare."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from sequela.cli.answers import answer
from sequela.cli.words import CohortFolder, Overrides
from sequela.errors import DataError

imports = typer.Typer(
    help="Bring foreign data into a cohort folder, one command a format.", no_args_is_help=True
)


def add_to(app: typer.Typer) -> None:
    """Add these commands to the application."""
    app.command()(init)
    app.command()(simulate)
    app.add_typer(imports, name="import")
    app.command()(check)
    app.command()(prepare)


def init(folder: Annotated[Path, typer.Argument(help="A new folder.")]) -> None:
    """Write an annotated cohort.yaml, empty tables and a configuration to start from."""
    from sequela.cohort.template import write_cohort_template

    written = write_cohort_template(folder)
    answer(
        {"written": [str(path.relative_to(folder)) for path in written]},
        *(f"wrote {escape(path.name)}" for path in written),
        f"fill in the tables; {_next('check', folder)}",
    )


def simulate(
    folder: Annotated[Path, typer.Argument(help="A new folder.")], overrides: Overrides = None
) -> None:
    """Write a cohort of synthetic patients, with a known truth, as the files a hospital has."""
    from sequela.settings import Settings, read_settings
    from sequela.simulation.settings import SimulationSettings
    from sequela.simulation.simulate import simulate as write_cohort

    class Sections(Settings):
        simulation: SimulationSettings = SimulationSettings()

    settings = read_settings(Sections, None, overrides or ()).simulation
    write_cohort(settings, folder)
    answer(
        {"folder": folder.name, "patients": settings.patients, "seed": settings.seed},
        f"{settings.patients} synthetic patients in {escape(str(folder))}; "
        + _next("check", folder),
    )


def check(cohort: CohortFolder) -> None:
    """Check every table of a cohort and print all findings, as a compiler does."""
    from sequela.cohort.checks import check_cohort

    findings = check_cohort(cohort)
    errors = sum(finding.severity == "error" for finding in findings)
    warnings = len(findings) - errors
    facts = {
        "findings": [finding.as_json() for finding in findings],
        "errors": errors,
        "warnings": warnings,
    }
    after = "each code has a page in docs/findings" if errors else _next("prepare", cohort)
    answer(
        facts,
        *(escape(str(finding)) for finding in findings),
        f"{errors} error(s), {warnings} warning(s); {after}",
    )
    if errors:
        raise typer.Exit(DataError.exit_code)


def _next(command: str, cohort: Path) -> str:
    return f"next: sequela {command} {escape(str(cohort))}"
