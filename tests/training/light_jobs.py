"""Jobs for processes of their own; this module imports little, for each of them imports it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from sequela.errors import DataError, InterruptedRunError
from sequela.progress import say
from sequela.training.interruption import stop_requests


def divide_and_tell(number: int, advance: Callable[[int], None]) -> tuple[int, int]:
    advance(number)
    if number == 0:
        raise DataError("nothing is divided by zero")
    return 12 // number, os.getpid()


def say_where(where: str, advance: Callable[[int], None]) -> None:
    advance(1)
    say(f"seen in {where}")


def threads_of_libraries(_: int, advance: Callable[[int], None]) -> str:
    advance(1)
    return os.environ["OPENBLAS_NUM_THREADS"]


def wait_for_stop(seconds: float, advance: Callable[[int], None]) -> None:
    """A job that ends when it is asked to, as a fit does."""
    end = time.monotonic() + seconds
    with stop_requests() as stop:
        advance(1)
        while time.monotonic() < end:
            if stop():
                raise InterruptedRunError("saved")
            time.sleep(0.05)
