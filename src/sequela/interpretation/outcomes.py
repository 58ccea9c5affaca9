"""What became of the patients who are shown, for rules and in words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

from sequela.survival.followup import Followup

_DAYS_A_YEAR = 365.25


@dataclass(frozen=True)
class Told:
    """What became of the cases, and what of it the model was asked.

    Attributes:
        followup: Of the cases.
        cause: The event of interest.
        horizon: Within how many days it counts, None for ever.
        endpoint: What the event is called.
    """

    followup: Followup
    cause: int
    horizon: float | None
    endpoint: str

    def sentence(self, row: int) -> str:
        """What became of a patient, as a sentence without its full stop."""
        return in_words(self.followup, row, self.cause, self.endpoint)


def outcomes(
    followup: Followup, cause: int, horizon: float | None
) -> tuple[Bool[np.ndarray, " patient"], Bool[np.ndarray, " patient"]]:
    """Who had the event within the horizon, and of whom that is known."""
    happened = followup.event == cause
    if horizon is None:
        return happened, np.ones(len(followup), dtype=bool)
    within = followup.time <= horizon
    return happened & within, ~((followup.event == 0) & ~(followup.time >= horizon))


def within(horizon: float | None) -> str:
    """By when the event counts, to follow `the event`."""
    if horizon is None:
        return ""
    return f" within {horizon / _DAYS_A_YEAR:.1f}".removesuffix(".0") + " years"


def in_words(followup: Followup, row: int, cause: int, endpoint: str) -> str:
    """What became of a patient, as a sentence without its full stop."""
    years = f"{followup.time[row] / _DAYS_A_YEAR:.1f} years after the landmark"
    event = int(followup.event[row])
    if event == cause:
        return f"{endpoint.capitalize()} {years}"
    return f"Another event {years}" if event else f"Free of {endpoint} until {years}"
