"""`sequela study`: variants × seeds × folds over one cohort, to tables, figures and a page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from sequela.cli.answers import answer
from sequela.cli.number_tables import performance
from sequela.cli.numbers import Accept
from sequela.cli.words import DryRun, Overrides, Work
from sequela.errors import DataError, ResourceLimitError, StorageError
from sequela.settings import read_settings
from sequela.storage import owned, require_free
from sequela.training.study_file import StudySettings

if TYPE_CHECKING:
    from sequela.training.study import Study
    from sequela.training.study_runs import FailedRun


def add_to(app: typer.Typer) -> None:
    """Add this command to the application."""
    app.command()(study)


def study(
    file: Annotated[
        Path, typer.Argument(metavar="FILE.yaml", help="The study: a cohort, entries, seeds.")
    ],
    overrides: Overrides = None,
    work: Work = None,
    jobs: Annotated[
        int | None, typer.Option(help="Runs side by side, each a process; machine.jobs.", min=1)
    ] = None,
    dry_run: DryRun = False,
    accept: Accept = False,
    restart: Annotated[bool, typer.Option("--restart", help="Make every run anew.")] = False,
) -> None:
    """Run variants × seeds × folds side by side, then write the tables, the figures and a page.

    Finished runs are kept and killed ones go on where they stood; asked again, it changes
    nothing. Results stand in WORK/studies/NAME.
    """
    if not dry_run:
        # Before torch is loaded, so that a second study in one folder learns of the first at once.
        require_free(read_settings(StudySettings, file).folder(file, work))
    from sequela.training.study import read_study

    words = [*(overrides or ()), *([f"machine.jobs={jobs}"] if jobs else ())]
    words += ["evaluation.accept_biased_design=true"] if accept else []
    asked = read_study(file, words, work)
    if dry_run:
        _tell_plan(asked)
        return
    from sequela.report.study import write_results
    from sequela.training.study_runs import run_study

    with owned(asked.folder):
        failed = run_study(asked, restart=restart)
        written = write_results(asked)
    facts = {
        "study": asked.name,
        "runs": len(asked.members) * len(asked.project.folds),
        "failed": [one.name for one in failed],
        "tables": [path.name for path in written.tables],
        "report": written.report.name,
    }
    answer(
        facts,
        *performance(written.evaluation),
        f"{len(written.tables)} tables and figures in {escape(str(asked.folder))}",
        f"the page: {escape(str(written.report))}",
    )
    _complain_of(failed)


def _complain_of(failed: list[FailedRun]) -> None:
    """Say which runs failed; with the exit code of the disk or the limits, if one met those."""
    if failed:
        codes = {one.code for one in failed}
        met = (kind for kind in (StorageError, ResourceLimitError) if kind.code in codes)
        raise next(met, DataError)(
            f"{len(failed)} run(s) of the study failed; the tables hold the others",
            hint="mend what the runs name, and run the same command again: only they are made",
            items=tuple(f"{one.name}: {one.message} ({one.hint})" for one in failed),
        )


def _tell_plan(asked: Study) -> None:
    from sequela.training.study_plan import plan_study

    plan = plan_study(asked)
    jobs = asked.project.configuration.machine.jobs_for(plan.runs)
    if plan.seconds is None:
        duration = "the time is not known before `sequela prepare`"
    else:
        duration = f"about {plan.seconds / 60:.1f} min with {jobs} side by side"
    answer(
        plan.as_json(),
        f"{plan.cases} cases of {plan.patients} patients",
        *(escape(str(entry)) for entry in plan.entries),
        f"{plan.runs} runs, {plan.finished} of them finished; {duration}; nothing was run",
    )
