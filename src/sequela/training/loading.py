"""Batches, read ahead by threads while the model computes."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Protocol, runtime_checkable

from sequela.modalities.batch import Batch, Sample, collate
from sequela.modalities.patient_inputs import PatientInputs
from sequela.training.checkpoint import Position
from sequela.training.sampling import Rows

_AHEAD = 2


@runtime_checkable
class Inputs(Protocol):
    """Examples by number; reading one has no side effect and needs no generator."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Sample: ...

    def at(self, epoch: int) -> Inputs:
        """The same as another epoch sees them, where they are augmented."""
        ...


def load_batch(inputs: Inputs, rows: Rows) -> Batch:
    """The examples of `rows`, padded to each other."""
    if isinstance(inputs, PatientInputs):
        return inputs.batch(rows)
    return collate([inputs[int(row)] for row in rows])


def read_ahead(
    inputs: Inputs, batches: Sequence[Rows], workers: int
) -> Iterator[tuple[Rows, Batch]]:
    """The batches in their order, loaded ahead by `workers` threads.

    Images come from a memory map and are converted in C, both without the interpreter's lock;
    so threads keep up with processes here and need neither start-up time nor copies.

    Args:
        inputs: The examples.
        batches: The rows of each batch.
        workers: Threads; 0 loads each batch when it is asked for.
    """
    if workers == 0:
        yield from ((rows, load_batch(inputs, rows)) for rows in batches)
        return
    with ThreadPoolExecutor(workers, thread_name_prefix="loader") as pool:
        yield from _in_order(pool, lambda rows: load_batch(inputs, rows), batches, workers * _AHEAD)


def _in_order(
    pool: ThreadPoolExecutor, load: Callable[[Rows], Batch], batches: Sequence[Rows], ahead: int
) -> Iterator[tuple[Rows, Batch]]:
    waiting: deque[tuple[Rows, Future[Batch]]] = deque()
    remaining = iter(batches)
    try:
        for rows in remaining:
            waiting.append((rows, pool.submit(load, rows)))
            if len(waiting) > ahead:
                first, future = waiting.popleft()
                yield first, future.result()
        while waiting:
            first, future = waiting.popleft()
            yield first, future.result()
    finally:
        for _, future in waiting:
            future.cancel()


class Watch:
    """Batches, and how long was waited for them and spent on them."""

    def __init__(self, batches: Iterator[tuple[Rows, Batch]]) -> None:
        self._batches = batches
        self._started = time.perf_counter()
        self._waited = 0.0

    def __iter__(self) -> Iterator[tuple[Rows, Batch]]:
        while True:
            asked = time.perf_counter()
            loaded = next(self._batches, None)
            self._waited += time.perf_counter() - asked
            if loaded is None:
                return
            yield loaded

    def add_to(self, position: Position) -> Position:
        """The position, with the time of these batches."""
        spent = time.perf_counter() - self._started
        return replace(
            position,
            data_seconds=position.data_seconds + self._waited,
            compute_seconds=position.compute_seconds + spent - self._waited,
        )
