"""How far a stage has come and when it will end, on a terminal or in a log."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

console = Console(stderr=True)
quiet: ContextVar[bool] = ContextVar("quiet", default=False)

Advance = Callable[[int], None]
_LOG_EVERY_SECONDS = 15.0


@contextmanager
def stage(name: str, total: int) -> Iterator[Advance]:
    """A progress bar with an estimate; without a terminal, a line now and then.

    Args:
        name: What is being done, as a user would say it.
        total: How many steps there are.

    Yields:
        A function that is told how many steps were just finished.
    """
    if quiet.get():
        yield lambda _: None
    elif console.is_terminal:
        with Progress(
            TextColumn("{task.description:<28}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=console,
        ) as bar:
            task = bar.add_task(name, total=total)
            yield lambda steps: bar.advance(task, steps)
    else:
        yield from _logged(name, total)


def _logged(name: str, total: int) -> Iterator[Advance]:
    started = last = time.monotonic()
    done = 0

    def advance(steps: int) -> None:
        nonlocal done, last
        done += steps
        now = time.monotonic()
        if now - last >= _LOG_EVERY_SECONDS and done < total:
            last = now
            left = (now - started) / max(done, 1) * (total - done)
            console.print(f"{name}: {done} of {total}, about {left:.0f} s left", highlight=False)

    yield advance
    seconds = time.monotonic() - started
    console.print(f"{name}: {done} of {total} in {seconds:.1f} s", highlight=False)
