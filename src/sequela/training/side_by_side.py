"""Several jobs side by side, each in a process of its own with its share of the cores.

A small model gains little from a second thread; two of them on two cores take half the time.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import wait as wait_for
from typing import Any, TypeVar

import torch

from sequela.errors import InterruptedRunError, ResourceLimitError
from sequela.progress import Advance, quiet, say, teller
from sequela.training.interruption import stop_requests
from sequela.workers import children_of

Task = TypeVar("Task")
Result = TypeVar("Result")

_POLL_SECONDS = 0.2
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_steps: Any = None
_stop: Any = None
_busy = threading.Event()


def side_by_side(
    work: Callable[[Task, Advance], Result],
    tasks: Sequence[Task],
    *,
    jobs: int,
    threads: int,
    advance: Advance,
    named: Callable[[Task], str] | None = None,
    running: Callable[[Sequence[str]], None] = lambda _: None,
) -> list[Result]:
    """What `work` makes of each task, in order; all are brought to their end before one fails.

    Args:
        work: A function of an importable module; told a task, and how to tell its steps.
        tasks: Picklable.
        jobs: Processes at once.
        threads: Threads of each.
        advance: Told of the steps of all.
        named: What a task is called, where `running` is to be told.
        running: Told the names of the tasks under way whenever one begins or ends.

    Raises:
        InterruptedRunError: If the process was asked to stop; every job has saved its state.
        SequelaError: The first that a job ended with.
    """
    context = multiprocessing.get_context("spawn")
    steps, stop = context.SimpleQueue(), context.Event()
    with (
        stop_requests() as asked,
        children_of(threads),
        ProcessPoolExecutor(jobs, context, _begin, (steps, stop, threads)) as pool,
    ):
        names = [named(task) if named else "" for task in tasks]
        with _unheard():
            futures = [
                pool.submit(_call, partial(work, task), name)
                for task, name in zip(tasks, names, strict=True)
            ]
        told = _Told(advance, running, [], set())
        # `wait` counts a future as done only once a process has heard that it was cancelled.
        while left := [future for future in futures if not future.done()]:
            wait(left, _POLL_SECONDS)
            _drain(steps, told)
            if asked():
                stop.set()
                pool.shutdown(wait=True, cancel_futures=True)
        _drain(steps, told)
    return _results(futures)


def _results(futures: Sequence[Future[Result]]) -> list[Result]:
    if any(future.cancelled() for future in futures):
        raise InterruptedRunError(
            "stopped; every run has saved its state",
            hint="run the same command again: it goes on from there and ends in the same weights",
        )
    try:
        return [future.result() for future in futures]
    except BrokenProcessPool:
        raise ResourceLimitError(
            "a process that worked beside this one was ended from outside, by the system perhaps, "
            "for want of memory",
            hint="run the same command again, with fewer side by side (machine.jobs=1): it goes "
            "on where it stood",
        ) from None


@contextmanager
def _unheard() -> Iterator[None]:
    """Within, Ctrl-C waits, and processes that are started do not hear it before `_begin`.

    A terminal sends it to them too, and one that is still loading torch would end by it.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@dataclass(frozen=True)
class _Told:
    """Who is told what the processes say, which tasks they have begun, and what was said."""

    advance: Advance
    running: Callable[[Sequence[str]], None]
    under_way: list[str]
    said: set[str]


def _drain(steps: Any, told: _Told) -> None:
    while not steps.empty():
        match steps.get():
            case int(count):
                told.advance(count)
            case str(sentence) if sentence not in told.said:
                told.said.add(sentence)
                say(sentence)
            case (True, name):
                told.under_way.append(name)
                told.running(told.under_way)
            case (False, name):
                told.under_way.remove(name)
                told.running(told.under_way)


def _begin(steps: Any, stop: Any, threads: int) -> None:
    """Make a new process quiet, of few threads, and ready to be stopped by its parent alone."""
    global _steps, _stop
    _steps, _stop = steps, stop
    quiet.set(True)
    teller.set(steps.put)
    torch.set_num_threads(threads)
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    threading.Thread(target=_watch_parent, args=(stop,), daemon=True).start()


def _watch_parent(stop: Any) -> None:
    """Have the loop save its state when the parent asks for it or is no more; end with it.

    Between two fits the signal is ignored, so it is sent until the work has ended.
    """
    parent = multiprocessing.parent_process()
    while True:
        orphaned = parent is not None and bool(wait_for([parent.sentinel], timeout=0))
        if orphaned and not _busy.is_set():
            os._exit(InterruptedRunError.exit_code)
        if orphaned or stop.is_set():
            os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(_POLL_SECONDS)


def _call(work: Callable[[Advance], Result], name: str) -> Result:
    if _stop.is_set():
        raise InterruptedRunError("stopped before it began", hint="run the same command again")
    _busy.set()
    _steps.put((True, name))
    try:
        return work(lambda count: _steps.put(count))
    finally:
        _steps.put((False, name))
        _busy.clear()
