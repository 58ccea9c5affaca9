"""What commands that train share: the project is opened, claimed and worked on together."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from sequela.cli.answers import answer, silent
from sequela.cli.words import configuration_of, work_folder
from sequela.progress import quiet
from sequela.storage import owned, require_free

if TYPE_CHECKING:
    from sequela.training.planning import Planned
    from sequela.training.project import Project

Restart = Annotated[
    bool, typer.Option("--restart", help="Throw away what stands in the run's folder.")
]


def opened(
    cohort: Path,
    work: Path | None,
    config: Path | None,
    overrides: Sequence[str] | None,
    run: Path | None = None,
) -> Project:
    """The project of a cohort folder, as the configuration and the command line ask."""
    from sequela.settings import read_settings
    from sequela.training.configuration import Configuration
    from sequela.training.project import Project

    file = configuration_of(cohort, config, run)
    return Project.open(cohort, work, read_settings(Configuration, file, overrides or ()))


@contextmanager
def together(project: Project) -> Iterator[None]:
    """Within, the processes that `torchrun` started work as one; the first alone speaks, ever."""
    from sequela.training import processes

    with processes.joined(os.environ, project.configuration.machine.device):
        if processes.number():
            quiet.set(True)
            silent.set(True)
        yield


def require_unclaimed(cohort: Path, work: Path | None, names: Sequence[str]) -> None:
    """Refuse, before torch is loaded, what another command trains; `claimed` makes sure of it."""
    if os.environ.get("RANK", "0") == "0":  # torchrun's other processes follow the first
        require_free(work_folder(cohort, work) / "runs", names)


@contextmanager
def claimed(project: Project, names: Sequence[str]) -> Iterator[None]:
    """Within, this command alone trains these in the work folder, between two runs as well.

    Raises:
        LockedError: If another command trains one of them.
    """
    from sequela.training import processes

    with ExitStack() as held:

        def claim() -> None:
            for name in names:
                held.enter_context(owned(project.work / "runs", name))

        processes.by_first(claim)
        yield


def tell_plan(planned: Sequence[Planned]) -> None:
    """Print what would be run."""
    seconds = sum(plan.seconds for plan in planned)
    facts = {"runs": [plan.as_json() for plan in planned], "seconds": seconds}
    answer(
        facts,
        *(escape(str(plan)) for plan in planned),
        f"about {seconds / 60:.1f} min of computing in all; nothing was run",
    )
