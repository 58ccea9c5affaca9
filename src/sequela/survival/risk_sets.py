"""How many patients are at risk, have the event and are censored at each time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int


@dataclass(frozen=True)
class RiskSets:
    """Counts at every distinct time of event or censoring, ascending.

    A patient is at risk at t when entry < t <= time, so events precede censorings at a tied
    time and a patient who enters at t is not yet at risk there (R's convention).
    """

    time: Float[np.ndarray, " moment"]
    at_risk: Float[np.ndarray, " moment"]
    events: Float[np.ndarray, " moment"]
    censored: Float[np.ndarray, " moment"]


def risk_sets(
    time: Float[np.ndarray, " patient"],
    event: Bool[np.ndarray, " patient"],
    *,
    entry: Float[np.ndarray, " patient"] | None = None,
    weight: Float[np.ndarray, " patient"] | None = None,
    moments: tuple[Float[np.ndarray, " moment"], Int[np.ndarray, " patient"]] | None = None,
) -> RiskSets:
    """Risk sets, in O(n log n).

    Args:
        time: Days to event or last contact.
        event: True where the event was observed.
        entry: Days at which observation began; None for all from the start.
        weight: How often each patient counts; None for once.
        moments: `distinct(time)`, where that is known already.
    """
    weight = np.ones(len(time)) if weight is None else weight
    days, place = distinct(time) if moments is None else moments
    happened = np.bincount(place, weight * event, len(days))
    left = np.bincount(place, weight, len(days))
    at_risk = left[::-1].cumsum()[::-1]
    if entry is not None:
        at_risk = at_risk - _not_yet_entered(days, entry, weight)
    return RiskSets(days, at_risk, happened, left - happened)


def distinct(
    values: Float[np.ndarray, " any"] | Int[np.ndarray, " any"],
) -> tuple[np.ndarray, Int[np.ndarray, " any"]]:
    """The distinct values, ascending, and which of them each is: a fast np.unique."""
    order = np.argsort(values)
    ranked = values[order]
    change = np.empty(len(values), dtype=bool)
    change[:1], change[1:] = True, ranked[1:] != ranked[:-1]
    place = np.empty(len(values), dtype=np.int64)
    place[order] = change.cumsum() - 1
    return ranked[change], place


def _not_yet_entered(
    moments: Float[np.ndarray, " moment"],
    entry: Float[np.ndarray, " patient"],
    weight: Float[np.ndarray, " patient"],
) -> Float[np.ndarray, " moment"]:
    order = np.argsort(entry, kind="stable")
    waiting = np.append(weight[order][::-1].cumsum()[::-1], 0.0)
    return waiting[np.searchsorted(entry[order], moments, side="left")]


def step(
    moments: Float[np.ndarray, " moment"],
    values: Float[np.ndarray, " moment"],
    times: Float[np.ndarray, " time"],
    *,
    before: float,
    left: bool = False,
) -> Float[np.ndarray, " time"]:
    """A step function at `times`: its value from the last moment at or before each.

    Args:
        moments: Where the function steps, ascending.
        values: Its value from each moment on.
        times: Where it is wanted.
        before: Its value before the first moment.
        left: Take the limit from the left (moments strictly before) instead.
    """
    place = np.searchsorted(moments, times, side="left" if left else "right")
    return np.append(before, values)[place]
