"""Jobs in processes of their own: results in order, steps told, failures passed on."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool

import pytest
from light_jobs import divide_and_tell, say_where, threads_of_libraries, wait_for_stop

from sequela.errors import DataError, InterruptedRunError, ResourceLimitError
from sequela.training.side_by_side import _results, side_by_side


def interrupt_children(seconds: float) -> None:
    """What a terminal does to all processes of a command, from their first instant."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for child in multiprocessing.active_children():
            os.kill(child.pid or 0, signal.SIGINT)
        time.sleep(0.01)


def test_jobs_are_done_in_other_processes_that_hear_no_ctrl_c_and_told_in_order() -> None:
    steps: list[int] = []
    threading.Thread(target=interrupt_children, args=(3.0,), daemon=True).start()
    results = side_by_side(divide_and_tell, [4, 2, 1], jobs=2, threads=1, advance=steps.append)
    assert [quotient for quotient, _ in results] == [3, 6, 12]
    assert os.getpid() not in {process for _, process in results}
    assert sum(steps) == 7


def test_jobs_share_the_cores_in_every_library_and_this_process_keeps_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """NumPy's linear algebra takes all cores otherwise, in each of the jobs."""
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "7")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    told: list[int] = []
    found = side_by_side(threads_of_libraries, [0], jobs=1, threads=3, advance=told.append)
    assert found == ["3"]
    assert os.environ["OPENBLAS_NUM_THREADS"] == "7"
    assert "MKL_NUM_THREADS" not in os.environ


def test_what_jobs_say_is_said_here_and_once(capsys: pytest.CaptureFixture[str]) -> None:
    side_by_side(say_where, ["Rome"] * 3 + ["Oslo"], jobs=2, threads=1, advance=lambda _: None)
    assert sorted(capsys.readouterr().err.splitlines()) == ["seen in Oslo", "seen in Rome"]


def test_a_failure_is_passed_on_and_a_stop_wins() -> None:
    failed, cancelled = Future[int](), Future[int]()
    failed.set_exception(DataError("nothing is divided by zero"))
    cancelled.cancel()
    with pytest.raises(DataError, match="zero"):
        _results([failed])
    with pytest.raises(InterruptedRunError):
        _results([failed, cancelled])


def test_a_process_that_the_system_ends_is_told_and_not_called_a_fault_of_ours() -> None:
    broken = Future[int]()
    broken.set_exception(BrokenProcessPool())
    with pytest.raises(ResourceLimitError, match="ended from outside") as caught:
        _results([broken])
    assert "goes on where it stood" in caught.value.hint


def test_a_stop_reaches_every_job_and_lets_it_save() -> None:
    began = time.monotonic()
    steps: list[int] = []

    def stop_once(count: int) -> None:
        if not steps:
            os.kill(os.getpid(), signal.SIGTERM)
        steps.append(count)

    with pytest.raises(InterruptedRunError):
        side_by_side(wait_for_stop, [100.0] * 5, jobs=1, threads=1, advance=stop_once)
    assert time.monotonic() - began < 90
    assert steps == [1]
