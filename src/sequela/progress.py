"""How far a stage has come and when it will end, on a terminal or in a log."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bar

console = Console(stderr=True)
quiet: ContextVar[bool] = ContextVar("quiet", default=False)

Advance = Callable[[int], None]
teller: ContextVar[Callable[[str], None] | None] = ContextVar("teller", default=None)
"""Who says a process's sentences for it, where it works beside others."""
_LOG_EVERY_SECONDS = 15.0
_SHOWN = 3


class Progress(Protocol):
    """What a stage is told: finished steps by a call, and by name what is being worked on."""

    def __call__(self, steps: int, /) -> None:
        """So many steps were just finished."""

    def running(self, names: Sequence[str]) -> None:
        """These are being worked on now."""


@dataclass
class _Told:
    """A stage that shows whatever it is told."""

    advanced: Callable[[int], None]
    shown: Callable[[str], None]

    def __call__(self, steps: int, /) -> None:
        self.advanced(steps)

    def running(self, names: Sequence[str]) -> None:
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        self.shown(", ".join(names[:_SHOWN]) + more)


def say(sentence: str) -> None:
    """Say something that a user should know while work goes on.

    Of processes side by side the one that started them says it, and once.

    Args:
        sentence: Without markup.
    """
    told = teller.get()
    if told is None:
        console.print(escape(sentence), highlight=False)
    else:
        told(sentence)


@contextmanager
def stage(name: str, total: int) -> Iterator[Progress]:
    """A progress bar with an estimate; without a terminal, a line now and then.

    Args:
        name: What is being done, as a user would say it.
        total: How many steps there are.

    Yields:
        What is told how many steps were just finished, and what is being worked on.
    """
    if quiet.get():
        yield _Told(lambda _: None, lambda _: None)
    elif console.is_terminal:
        with Bar(
            TextColumn("{task.description:<28}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[now]}"),
            console=console,
        ) as bar:
            task = bar.add_task(name, total=total, now="")
            yield _Told(
                lambda steps: bar.advance(task, steps),
                lambda now: bar.update(task, now=escape(now)),
            )
    else:
        yield from _logged(name, total)


def _logged(name: str, total: int) -> Iterator[Progress]:
    started = last = time.monotonic()
    done, now_doing = 0, ""

    def advance(steps: int) -> None:
        nonlocal done, last
        done += steps
        now = time.monotonic()
        if now - last >= _LOG_EVERY_SECONDS and done < total:
            last = now
            seconds = (now - started) / max(done, 1) * (total - done)
            left = f", about {seconds:.0f} s left" if done else ""
            doing = f"; now {escape(now_doing)}" if now_doing else ""
            console.print(f"{name}: {done} of {total}{left}{doing}", highlight=False)

    def show(now: str) -> None:
        nonlocal now_doing
        now_doing = now

    yield _Told(advance, show)
    seconds = time.monotonic() - started
    console.print(f"{name}: {done} of {total} in {seconds:.1f} s", highlight=False)
