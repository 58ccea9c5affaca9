"""Several jobs side by side, each in a process of its own with its share of the cores.

A small model gains little from a second thread; two of them on two cores take half the time.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, wait
from functools import partial
from multiprocessing.connection import wait as wait_for
from typing import Any, TypeVar

import torch

from sequela.errors import InterruptedRunError
from sequela.progress import Advance, quiet
from sequela.training.interruption import stop_requests

Task = TypeVar("Task")
Result = TypeVar("Result")

_POLL_SECONDS = 0.2
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
) -> list[Result]:
    """What `work` makes of each task, in order; all are brought to their end before one fails.

    Args:
        work: A function of an importable module; told a task, and how to tell its steps.
        tasks: Picklable.
        jobs: Processes at once.
        threads: Threads of each.
        advance: Told of the steps of all.

    Raises:
        InterruptedRunError: If the process was asked to stop; every job has saved its state.
        SequelaError: The first that a job ended with.
    """
    context = multiprocessing.get_context("spawn")
    steps, stop = context.SimpleQueue(), context.Event()
    with (
        stop_requests() as asked,
        ProcessPoolExecutor(jobs, context, _begin, (steps, stop, threads)) as pool,
    ):
        futures = [pool.submit(_call, partial(work, task)) for task in tasks]
        while wait(futures, _POLL_SECONDS).not_done:
            _drain(steps, advance)
            if asked():
                stop.set()
                pool.shutdown(wait=True, cancel_futures=True)
        _drain(steps, advance)
    return _results(futures)


def _results(futures: Sequence[Future[Result]]) -> list[Result]:
    if any(future.cancelled() for future in futures):
        raise InterruptedRunError(
            "stopped; every run has saved its state",
            hint="run the same command again: it goes on from there and ends in the same weights",
        )
    return [future.result() for future in futures]


def _drain(steps: Any, advance: Advance) -> None:
    while not steps.empty():
        advance(steps.get())


def _begin(steps: Any, stop: Any, threads: int) -> None:
    """Make a new process quiet, of few threads, and ready to be stopped by its parent alone."""
    global _steps, _stop
    _steps, _stop = steps, stop
    quiet.set(True)
    torch.set_num_threads(threads)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
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


def _call(work: Callable[[Advance], Result]) -> Result:
    if _stop.is_set():
        raise InterruptedRunError("stopped before it began", hint="run the same command again")
    _busy.set()
    try:
        return work(lambda count: _steps.put(count))
    finally:
        _busy.clear()
