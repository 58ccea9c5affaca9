"""What a model says of cases, and at which times."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

YEAR = 365.25
"""Days."""
_NEAR = 7.0  # a year's end this close to the last time is the last time


@dataclass(frozen=True)
class Answers:
    """Risk and survival of some cases.

    Attributes:
        risk: Higher is worse.
        times: Days after the landmark.
        survival: Probability of being free of the event at those times.
        rivals: By the number of each other cause of which the model tells it, the probability of
            having had that event by those times.
    """

    risk: Float[np.ndarray, " case"]
    times: tuple[float, ...]
    survival: Float[np.ndarray, "case time"]
    rivals: Mapping[int, Float[np.ndarray, "case time"]] = field(default_factory=dict)


def half_yearly_grid(end: float) -> tuple[float, ...]:
    """The end of every half year before `end`, and `end`, in days."""
    halves = np.arange(1, 2 * end // YEAR + 1) * YEAR / 2
    return (*(float(half) for half in halves if half < end - _NEAR), end)
