"""Which examples stand in which batch: keyed by (seed, epoch), so nothing else can change it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from sequela.errors import UsageError

Rows = Int[np.ndarray, " _"]
"""Numbers of examples; lists of them may differ in length."""


def keyed_generator(seed: int, *key: int) -> np.random.Generator:
    """A generator that depends on the seed and the key alone."""
    return np.random.default_rng(np.random.SeedSequence((seed, *key)))


def keyed_seed(seed: int, *key: int) -> int:
    """A seed for torch that depends on the seed and the key alone."""
    return int(np.random.SeedSequence((seed, *key)).generate_state(1, np.uint64)[0] >> np.uint64(1))


def shuffled_batches(rows: Rows, size: int, seed: int, epoch: int) -> list[Rows]:
    """Every row once, in as few batches as `size` allows, all of them about as large.

    So the last one is not a single row, from which a batch norm learns nothing.
    """
    order = keyed_generator(seed, epoch).permutation(rows)
    return np.array_split(order, max(1, -(-len(order) // size)))


def ordered_batches(rows: Rows, size: int) -> list[Rows]:
    """Every row once, in the order given."""
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def patient_unique_batches(
    rows: Rows, patients: Sequence[str], size: int, seed: int, epoch: int
) -> list[Rows]:
    """Every row once, in even batches that hold at most one row of a patient.

    Rows are dealt like cards, patient after patient: the rows of one patient go to neighbouring
    batches, and there are at least as many batches as any patient has rows. A batch of one is
    left out, since there is nothing to contrast it with.

    Args:
        rows: What to deal.
        patients: Whose each example is, for all examples.
        size: The most rows of a batch.
        seed: Of the order.
        epoch: Of the order.
    """
    generator = keyed_generator(seed, epoch)
    hands: dict[str, list[int]] = {}
    for row in generator.permutation(rows):
        hands.setdefault(patients[row], []).append(int(row))
    if not hands:
        return []
    count = max(-(-len(rows) // size), *(len(hand) for hand in hands.values()), 1)
    dealt: list[list[int]] = [[] for _ in range(count)]
    cards = (row for hand in hands.values() for row in hand)
    for turn, row in enumerate(cards):
        dealt[turn % count].append(row)
    order = generator.permutation(count)
    return [np.array(dealt[batch]) for batch in order if len(dealt[batch]) > 1]


@dataclass(frozen=True)
class Share:
    """What one process computes of a batch.

    Attributes:
        rows: Its rows, which stand together in the batch.
        start: Where they begin.
        pieces: Number of each of its pieces in the whole batch, and where it begins and ends
            among `rows`; the number is the key of what is random within.
    """

    rows: Rows
    start: int
    pieces: tuple[tuple[int, int, int], ...]


def shares(rows: Rows, chunk: int | None, processes: int) -> list[Share]:
    """A batch divided into even pieces of at most `chunk` rows, and these among processes.

    A batch has the same pieces in any number of processes that are no more than they.

    Raises:
        UsageError: If there are more processes than rows.
    """
    if len(rows) < processes:
        raise UsageError(
            f"a batch of {len(rows)} cannot be shared by {processes} processes",
            hint="start fewer processes, or set a larger batch",
        )
    count = max(processes, -(-len(rows) // chunk) if chunk else 1)
    edges = np.cumsum([0, *map(len, np.array_split(rows, count))]).tolist()
    found = []
    for numbers in np.array_split(np.arange(count), processes):
        start, stop = edges[numbers[0]], edges[numbers[-1] + 1]
        pieces = ((int(n), edges[n] - start, edges[n + 1] - start) for n in numbers)
        found.append(Share(rows[start:stop], start, tuple(pieces)))
    return found
