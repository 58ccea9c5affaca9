from __future__ import annotations

import math
import os
import time
from pathlib import Path

import pytest

from sequela.errors import StorageError
from sequela.storage import write_text
from sequela.workers import Done, Failure, Limits, each


def by_index(done: list[Done[object]]) -> dict[int, object]:
    return {one.index: one.value for one in done}


def test_every_task_is_answered_once_whatever_the_number_of_workers() -> None:
    tasks = [(float(n),) for n in range(7)]
    for workers in (1, 3):
        values = by_index(list(each(math.sqrt, tasks, workers=workers)))
        assert values == {n: math.sqrt(n) for n in range(7)}


def test_a_task_that_kills_its_worker_costs_itself_alone() -> None:
    values = by_index(list(each(os._exit, [(1,)], workers=1)))
    assert values == {0: Failure("stopped the process that was reading it", lasting=False)}


def test_a_hanging_task_is_given_up_and_the_next_is_done() -> None:
    began = time.monotonic()
    values = by_index(
        list(each(time.sleep, [(30.0,), (0.0,)], workers=1, limits=Limits(seconds=1.5)))
    )
    assert isinstance(values[0], Failure)
    assert "longer than 1.5 s" in values[0].reason
    assert values[1] is None
    assert time.monotonic() - began < 15


def test_a_task_that_grows_is_refused_its_memory() -> None:
    values = by_index(list(each(bytearray, [(1 << 32,), (3,)], workers=1, limits=Limits(1 << 30))))
    assert values[0] == Failure("needs more than 1 GiB of memory", lasting=False)
    assert values[1] == bytearray(3)


def test_an_unforeseen_exception_is_named_by_kind_and_never_by_its_text() -> None:
    values = by_index(list(each(int, [("secret-name",), ("12",)], workers=1)))
    assert values == {0: Failure("cannot be read (ValueError)"), 1: 12}


def test_children_end_when_the_results_are_no_longer_wanted() -> None:
    results = each(time.sleep, [(0.0,), (60.0,)], workers=2)
    next(results)
    began = time.monotonic()
    results.close()
    assert time.monotonic() - began < 5


def test_a_disk_that_refuses_a_child_is_no_fault_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="refused while writing a: Not a directory") as caught:
        list(each(write_text, [(tmp_path / "file" / "a", "text")], workers=1))
    assert "look at the disk" in caught.value.hint


def test_a_worker_goes_on_while_its_result_is_used() -> None:
    results = each(time.sleep, [(0.0,), (0.8,)], workers=1)
    next(results)
    time.sleep(1.2)
    began = time.monotonic()
    assert next(results).index == 1
    assert time.monotonic() - began < 0.6


@pytest.mark.parametrize("workers", [1, 2])
def test_no_tasks_are_no_results(workers: int) -> None:
    assert list(each(math.sqrt, [], workers=workers)) == []
