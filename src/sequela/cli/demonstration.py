"""`sequela demo`: the whole walk on synthetic patients, by the same commands that a user runs."""

from __future__ import annotations

import time
from importlib import resources
from pathlib import Path
from typing import Annotated

import typer

_MARK = ".sequela-demo"


def add_to(app: typer.Typer) -> None:
    """Add these commands to the application."""

    @app.command()
    def demo(
        context: typer.Context,
        folder: Annotated[Path, typer.Argument(help="Where to make it.")] = Path("sequela-demo"),
        patients: Annotated[int, typer.Option(help="How many synthetic patients.")] = 480,
        seed: Annotated[int, typer.Option(help="Another seed is another cohort.")] = 0,
    ) -> None:
        """Make synthetic patients as real files, and walk from raw DICOM and notes to a report.

        Each step prints the command that it runs, so that you can run it on your own cohort.
        """
        walk(app, folder, patients, seed)


def walk(app: typer.Typer, folder: Path, patients: int, seed: int) -> None:
    """Run every step, saying the command, and end with the summary and the report's path."""
    _claim(folder, f"patients {patients} seed {seed}")
    started = time.monotonic()
    cohort = folder / "cohort"
    _run(app, "simulate", str(cohort), f"simulation.patients={patients}", f"simulation.seed={seed}")
    configuration = resources.files("sequela.cli").joinpath("demo.yaml").read_text(encoding="utf-8")
    write_text(cohort / "sequela.yaml", configuration)
    variants = [word for name in VARIANTS for word in ("--variant", name)]
    for command in ("check", "prepare", "pretrain"):
        _run(app, command, str(cohort))
    _run(app, "train", str(cohort), *variants)
    for command in ("predict", "evaluate", "explain", "report"):
        _run(app, command, str(cohort))
    _close(cohort / "work", time.monotonic() - started)
