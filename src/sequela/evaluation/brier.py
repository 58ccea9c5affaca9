"""The Brier score at many times, and over all time, of censored patients."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from sequela.errors import UndefinedMetricError
from sequela.survival.censoring import survivors
from sequela.survival.risk_sets import RiskSets, distinct, risk_sets, step

_CHUNK = 16384


def brier_scores(
    time: Float[np.ndarray, " patient"],
    event: Int[np.ndarray, " patient"],
    survival: Float[np.ndarray, "patient time"],
    times: Float[np.ndarray, " time"],
    *,
    cause: int = 1,
    entry: Float[np.ndarray, " patient"] | None = None,
) -> Float[np.ndarray, " time"]:
    """The mean squared error of predicted probabilities at each of some times, in O(n log n).

    Args:
        time: Days to event or last contact.
        event: 0 censored, k >= 1 cause k.
        survival: Predicted probability of being free of the event of the cause by each time.
        times: Days, ascending.
        cause: Which event is predicted.
        entry: Days at which observation began; None for from the start.

    Raises:
        UndefinedMetricError: If nobody is known to be free of any event at some time; it names the
            last time at which somebody is.

    Source: Graf et al. 1999; Schoop et al. 2011 for competing events; weights as
        `censoring_weights`.
    """
    own, stands, share = _weights(time, event, times, entry)
    target = ((event > 0) & (event != cause)).astype(float)
    total = np.zeros(len(times))
    since = np.zeros_like(own) if entry is None else np.searchsorted(times, entry)
    for start in range(0, len(time), _CHUNK):
        part = slice(start, start + _CHUNK)
        stay = _Stay(since[part], own[part])
        total += _squares(survival[part], stay, target[part], stands[part], share)
    return total / len(time)


@dataclass(frozen=True)
class _Stay:
    """Between which of the times each patient is watched: from the first on, up to the second."""

    since: Int[np.ndarray, " patient"]
    until: Int[np.ndarray, " patient"]

    def changes(self, count: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Who comes and who goes, at each time."""
        parts = []
        for value in (self.since, self.until):
            order = np.argsort(value, kind="stable")
            parts.append(np.split(order, np.searchsorted(value[order], np.arange(1, count + 1))))
        yield from list(zip(*parts, strict=True))[:count]


def _squares(
    survival: Float[np.ndarray, "patient time"],
    stay: _Stay,
    target: Float[np.ndarray, " patient"],
    stands: Float[np.ndarray, " patient"],
    share: Float[np.ndarray, " time"],
) -> Float[np.ndarray, " time"]:
    """The weighed squared errors of some patients, summed at each time.

    From one time to the next only those change who come or go between.

    Args:
        survival: Predicted.
        stay: When the patients are watched.
        target: What ought to have been predicted once a patient is gone.
        stands: What the patient weighs then.
        share: What a patient weighs before, at each time.
    """
    alive, right, weight = np.zeros(len(target)), np.ones(len(target)), np.zeros(len(target))
    sums = np.empty(len(share))
    lines = np.ascontiguousarray(survival.T)
    for column, (come, gone) in enumerate(stay.changes(len(share))):
        alive[come] = 1.0
        alive[gone], right[gone], weight[gone] = 0.0, target[gone], stands[gone]
        gap = lines[column] - right
        gap *= gap
        sums[column] = gap @ weight + share[column] * (gap @ alive)
    return sums


def _weights(
    time: Float[np.ndarray, " patient"],
    event: Int[np.ndarray, " patient"],
    times: Float[np.ndarray, " time"],
    entry: Float[np.ndarray, " patient"] | None,
) -> tuple[Int[np.ndarray, " patient"], Float[np.ndarray, " patient"], Float[np.ndarray, " time"]]:
    """When each patient is first not followed, what the event stands for, what survivors do."""
    moments, place = distinct(time)
    sets = risk_sets(time, event > 0, entry=entry, moments=(moments, place))
    at_risk = np.maximum(sets.at_risk, 1.0)
    survival = (1 - sets.events / at_risk).cumprod() * len(time)
    before = np.append(float(len(time)), survival)[:-1]
    own = np.searchsorted(times, moments).astype(np.int16 if len(times) < 2**15 else np.int64)
    stands = np.where((event > 0) & (own[place] < len(times)), (before / at_risk)[place], 0.0)
    left = step(moments, survival, times, before=float(len(time)))
    return own[place], stands, left / _seen(time, event > 0, times, entry, sets)


def _seen(
    time: Float[np.ndarray, " patient"],
    event: Bool[np.ndarray, " patient"],
    times: Float[np.ndarray, " time"],
    entry: Float[np.ndarray, " patient"] | None,
    sets: RiskSets,
) -> Float[np.ndarray, " time"]:
    """How many are known to be free of any event at each time."""
    ended = (sets.events + sets.censored).cumsum()
    seen = len(time) - step(sets.time, ended, times, before=0.0)
    if entry is not None:
        seen -= len(time) - np.searchsorted(np.sort(entry), times, side="right")
    if seen[-1] == 0:
        free = survivors(time, event, float(times[-1]))
        seen[-1] = float((free if entry is None else free & (entry < times[-1])).sum())
    if (seen <= 0).any():
        raise UndefinedMetricError(
            f"nobody is known to be free of the event at day {times[seen <= 0][0]:g}",
            hint=f"the last day at which somebody is seen is {sets.time[-1]:g}",
        )
    return seen
