"""Which patients are shown: by a stated rule, so that nobody picks the beautiful ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

RULE = (
    "Chosen by rule among the test patients whose outcome is known, not by eye: by turns the "
    "highest risk with the event, the lowest risk without, the lowest risk with it (a miss) and "
    "the highest risk without (a false alarm)."
)
_ROLES = (
    (True, True, "Highest risk among patients with the event"),
    (False, False, "Lowest risk among patients without the event"),
    (True, False, "A miss: lowest risk among patients with the event"),
    (False, True, "A false alarm: highest risk among patients without the event"),
)


@dataclass(frozen=True)
class Choice:
    """A patient to show.

    Attributes:
        row: Index into what was chosen from.
        why: What the patient is an example of.
    """

    row: int
    why: str


def choose_examples(
    patient: Sequence[str],
    risk: Float[np.ndarray, " row"],
    event: Bool[np.ndarray, " row"],
    known: Bool[np.ndarray, " row"],
    count: int,
) -> list[Choice]:
    """Up to `count` rows by `RULE`, no patient twice.

    Args:
        patient: Whose row it is.
        risk: Higher is worse.
        event: Whether the event happened within the horizon.
        known: Whether that is known.
        count: How many.
    """
    chosen: list[Choice] = []
    taken: set[str] = set()
    for turn in range(count):
        with_event, highest, why = _ROLES[turn % len(_ROLES)]
        rows = [
            row
            for row in np.flatnonzero(known & (event == with_event)).tolist()
            if patient[row] not in taken
        ]
        if rows:
            best = max(rows, key=lambda row: (risk[row] if highest else -risk[row], patient[row]))
            chosen.append(Choice(best, why))
            taken.add(patient[best])
    return chosen
