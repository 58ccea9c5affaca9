"""Every row once, keyed by seed and epoch; never a patient twice in an alignment batch."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sequela.training.sampling import patient_unique_batches, shuffled_batches

hands = st.lists(st.integers(1, 9), min_size=1, max_size=30)


@given(hands, st.integers(2, 12), st.integers(0, 5))
def test_alignment_batches_hold_a_patient_once_and_all_rows_once(
    exams: list[int], size: int, epoch: int
) -> None:
    patients = [str(patient) for patient, count in enumerate(exams) for _ in range(count)]
    batches = patient_unique_batches(np.arange(len(patients)), patients, size, 0, epoch)
    for batch in batches:
        assert 2 <= len(batch) <= size
        assert max(Counter(patients[row] for row in batch).values()) == 1
    rows = [int(row) for batch in batches for row in batch]
    assert len(rows) == len(set(rows))
    if len(patients) // max(-(-len(patients) // size), *exams, 1) >= 2:
        assert sorted(rows) == list(range(len(patients)))


@given(st.integers(1, 40), st.integers(1, 12), st.integers(0, 3), st.integers(0, 3))
def test_shuffled_batches_hold_every_row_once(rows: int, size: int, seed: int, epoch: int) -> None:
    batches = shuffled_batches(np.arange(rows), size, seed, epoch)
    assert sorted(np.concatenate(batches)) == list(range(rows))
    again = shuffled_batches(np.arange(rows), size, seed, epoch)
    assert all(np.array_equal(one, other) for one, other in zip(batches, again, strict=True))


def test_epochs_differ_in_order() -> None:
    first, second = (shuffled_batches(np.arange(50), 50, 0, epoch)[0] for epoch in (0, 1))
    assert not np.array_equal(first, second)
