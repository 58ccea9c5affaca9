"""`sequela pretrain-text`: a language model of the cohort's own notes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer
from rich.markup import escape

from sequela.cli.answers import answer
from sequela.cli.projects import (
    Restart,
    claimed,
    opened,
    require_unclaimed,
    tell_plan,
    together,
)
from sequela.cli.words import CohortFolder, Config, DryRun, Overrides, Work, next_step

if TYPE_CHECKING:
    from pathlib import Path

_NAME = "pretrain-text"


def add_to(app: typer.Typer) -> None:
    """Add this command to the application."""
    app.command(_NAME)(pretrain_text)


def pretrain_text(
    cohort: CohortFolder,
    overrides: Overrides = None,
    work: Work = None,
    config: Config = None,
    dry_run: DryRun = False,
    restart: Restart = False,
) -> None:
    """Train a tokenizer and a text encoder on the training patients' own notes (a RoBERTa)."""
    if not dry_run:
        require_unclaimed(cohort, work, (_NAME,))
    project = opened(cohort, work, config, overrides)
    with together(project):
        if dry_run:
            from sequela.training.planning import plan_language

            tell_plan(plan_language(project))
            return
        from sequela.training.stages import pretrain_text_all

        with claimed(project, (_NAME,)):
            folders: list[Path] = pretrain_text_all(project, restart=restart)
    names = ", ".join(folder.name for folder in folders)
    answer(
        {"folders": [folder.name for folder in folders]},
        f"finished: {escape(names)}; text.encoder=language-model reads notes with it",
        next_step("pretrain", cohort) + " text.encoder=language-model",
    )
