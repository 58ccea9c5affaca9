"""`sequela selftest`: proofs that anyone can run on this machine."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from sequela.cli.answers import answer
from sequela.errors import DataError

if TYPE_CHECKING:
    from sequela.cli.fuzzing import Fate
    from sequela.workers import Failure

selftest = typer.Typer(help="Try what this installation withstands.", no_args_is_help=True)

OUTCOMES = ("read", "refused", "contained", "crash", "hang")
_START = 55.0  # seconds that a child may take to begin, and to import its reader


def add_to(app: typer.Typer) -> None:
    """Add these commands to the application."""
    app.add_typer(selftest, name="selftest")


@selftest.callback()
def _named() -> None:
    """Try what this installation withstands."""


@selftest.command()
def fuzz(
    seed: Annotated[int, typer.Option(help="Another seed is other files.", min=0)] = 0,
    n: Annotated[int, typer.Option("--n", help="How many files.", min=1)] = 1000,
    seconds: Annotated[float, typer.Option(help="What counts as a hang.", min=0.1)] = 5.0,
) -> None:
    """Read files that were damaged at random with the readers that read strangers' files.

    Exit code 3 says that a reader crashed or hung. A file that kills the child process which
    reads it, where the product reads such files in a child, is contained: it costs itself.
    """
    started = time.monotonic()
    counts, faults = _fuzzed(seed, n, seconds)
    table = Table("kind", *OUTCOMES, box=None)
    for kind in sorted({kind for kind, _ in counts}):
        table.add_row(kind, *(str(counts[kind, outcome]) for outcome in OUTCOMES))
    facts = {
        "seed": seed,
        "files": n,
        "seconds": round(time.monotonic() - started, 1),
        "outcomes": {f"{kind} {outcome}": count for (kind, outcome), count in counts.items()},
        "faults": faults,
    }
    answer(facts, table, f"{n} files in {facts['seconds']} s, {len(faults)} crash(es) or hang(s)")
    if faults:
        raise DataError(
            f"{len(faults)} of {n} damaged files crashed or hung their reader",
            hint="report the lines with the seed; the files hold no patient's data",
            items=tuple(faults[:20]),
        )


def _fuzzed(seed: int, n: int, seconds: float) -> tuple[Counter[tuple[str, str]], list[str]]:
    from sequela.cli.fuzzing import Trial, tried
    from sequela.progress import stage
    from sequela.simulation.specimens import KINDS, write_specimens
    from sequela.workers import Limits, available_cores, each

    counts: Counter[tuple[str, str]] = Counter()
    faults: list[str] = []
    with tempfile.TemporaryDirectory(prefix="sequela-fuzz-") as folder:
        made = write_specimens(Path(folder))
        trials = [
            Trial(kind, made[kind][number // len(KINDS) % len(made[kind])], seed, number)
            for number in range(n)
            for kind in (KINDS[number % len(KINDS)],)
        ]
        limits = Limits(memory=8 << 30, seconds=_START + seconds)  # torch takes half of 4 GiB
        tasks = [(trial,) for trial in trials]
        with stage("Reading damaged files", n) as advance:
            for done in each(tried, tasks, workers=available_cores(), limits=limits):
                trial = trials[done.index]
                outcome, reason = _judged(trial.kind, done.value, seconds)
                counts[trial.kind, outcome] += 1
                if outcome in ("crash", "hang"):
                    faults.append(f"{trial.kind} {trial.number}: {reason}")
                advance(1)
    return counts, faults


def _judged(kind: str, value: Fate | Failure, seconds: float) -> tuple[str, str]:
    """The outcome, and why; of a child that died, what the product would make of it."""
    from sequela.cli.fuzzing import CAGED
    from sequela.workers import Failure

    if isinstance(value, Failure):
        outcome = "hang" if "longer than" in value.reason else "crash"
        return ("contained" if kind in CAGED and outcome == "crash" else outcome), value.reason
    if value.seconds > seconds:
        return "hang", f"took {value.seconds:.1f} s"
    if value.outcome == "memory":
        return ("contained" if kind in CAGED else "crash"), value.reason
    return value.outcome, value.reason
