"""From the hazards of competing causes to the incidence of one of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from sequela.survival.risk_sets import risk_sets, step

_TOGETHER = 1024  # patients whose hazards at every moment are held at once


def incidence_of_hazards(
    cause: Float[np.ndarray, "patient moment"], competing: Float[np.ndarray, "patient moment"]
) -> Float[np.ndarray, "patient moment"]:
    """The probability of having had the cause's event after each moment.

    Who is free of every event before a moment stays free with the chance exp(-hazard of any event);
    those struck are shared out by hazard. So the incidences of all causes and the survival of any
    event sum to 1, and without a competing hazard the incidence is 1 - exp(-cumulative hazard).

    Args:
        cause: What the moment adds to the cumulative hazard of the cause.
        competing: What it adds to that of all other causes together.

    Source: Benichou & Gail 1990, with the hazards constant between the moments.
    """
    total = cause + competing
    free_before = np.exp(-np.pad(total.cumsum(axis=1)[:, :-1], ((0, 0), (1, 0))))
    share = np.divide(cause, total, out=np.zeros_like(total), where=total > 0)
    incidence: Float[np.ndarray, "patient moment"]
    incidence = (free_before * -np.expm1(-total) * share).cumsum(axis=1)
    return incidence


@dataclass(frozen=True)
class StepHazard:
    """A cumulative hazard that steps at the days of events.

    Attributes:
        times: Days at which it steps, ascending.
        hazard: Its value from each of them on.
    """

    times: tuple[float, ...]
    hazard: tuple[float, ...]

    @classmethod
    def breslow(
        cls,
        time: Float[np.ndarray, " patient"],
        event: Bool[np.ndarray, " patient"],
        relative: Float[np.ndarray, " patient"],
        *,
        entry: Float[np.ndarray, " patient"] | None = None,
    ) -> StepHazard:
        """Of a patient of relative hazard 1; with all of 1 it is Nelson and Aalen's.

        Source: Breslow 1972.
        """
        at_risk = risk_sets(time, event, entry=entry, weight=relative).at_risk
        sets = risk_sets(time, event)
        happened = sets.events > 0
        steps = (sets.events[happened] / at_risk[happened]).cumsum()
        return cls(tuple(sets.time[happened].tolist()), tuple(steps.tolist()))

    def at(self, times: Float[np.ndarray, " time"]) -> Float[np.ndarray, " time"]:
        """Its value at `times`."""
        return step(np.array(self.times), np.array(self.hazard), times, before=0.0)

    def added(self, moments: Float[np.ndarray, " moment"]) -> Float[np.ndarray, " moment"]:
        """What each moment adds."""
        return np.diff(self.at(moments), prepend=0.0)

    def state(self) -> dict[str, list[float]]:
        """What `from_state` needs, as JSON holds it."""
        return {"times": list(self.times), "hazard": list(self.hazard)}

    @classmethod
    def from_state(cls, state: Mapping[str, Sequence[float]]) -> StepHazard:
        """The hazard whose `state()` this is."""
        return cls(tuple(state["times"]), tuple(state["hazard"]))


def incidence_of_steps(
    hazards: Sequence[tuple[StepHazard, Float[np.ndarray, " patient"]]], times: Sequence[float]
) -> Float[np.ndarray, "patient time"]:
    """The probability of having had the first cause's event by `times`, the others competing.

    Args:
        hazards: The baseline hazard of each cause, and the patients' hazards relative to it.
        times: Days.
    """
    moments = np.unique(np.concatenate([np.array(hazard.times) for hazard, _ in hazards]))
    moments = moments[moments <= max(times, default=0.0)]
    added = [hazard.added(moments) for hazard, _ in hazards]
    patients = len(hazards[0][1])
    found = np.zeros((patients, len(times)))
    for rows in np.array_split(np.arange(patients), patients // _TOGETHER + 1):
        cause, *others = (
            np.outer(relative[rows], steps)
            for steps, (_, relative) in zip(added, hazards, strict=True)
        )
        rivals = sum(others, np.zeros_like(cause))
        steps = np.pad(incidence_of_hazards(cause, rivals), ((0, 0), (1, 0)))
        found[rows] = steps[:, np.searchsorted(moments, times, side="right")]
    # A patient of a very high hazard: the sum of the steps may pass 1 by a rounding.
    return np.minimum(found, 1.0)
