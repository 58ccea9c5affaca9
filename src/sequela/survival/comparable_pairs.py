"""Who can be compared with whom where times are censored, and whose risk is the higher."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from sequela.survival.dominance import earlier_and_smaller
from sequela.survival.risk_sets import distinct

Parts = tuple[
    Float[np.ndarray, " patient"], Float[np.ndarray, " patient"], Float[np.ndarray, " patient"]
]
"""Of each patient's pairs: those concordant, those of tied risk, all."""


@dataclass(frozen=True)
class Pairs:
    """Comparable pairs of each patient.

    Attributes:
        begun: Those in which the patient has the earlier event.
        outlived: Those in which the patient is the other; None where not asked for.
    """

    begun: Parts
    outlived: Parts | None

    def and_also(self, other: Pairs) -> Pairs:
        """These pairs and others of the same patients."""
        outlived = None
        if self.outlived is not None and other.outlived is not None:
            outlived = _sum(self.outlived, other.outlived)
        return Pairs(_sum(self.begun, other.begun), outlived)


def count_pairs(
    time: Float[np.ndarray, " patient"],
    event: Bool[np.ndarray, " patient"],
    risk: Float[np.ndarray, " patient"],
    weight: Float[np.ndarray, " patient"],
    *,
    entry: Float[np.ndarray, " patient"] | None = None,
    influence: bool = True,
) -> Pairs:
    """The comparable pairs of each patient, each weighing what its event does.

    The earlier of the two has the event; a patient censored at the time of an event outlived it.
    """
    when, how = distinct(time)[1], distinct(risk)[1]
    later = _as_earlier(when, event, how, weight)
    if entry is not None:
        absent = pairs_between(risk, np.ones(len(time)), -entry, -time)
        later = _less(later, absent, weight)
    outlived = _as_later(when, event, how, weight) if influence else None
    if outlived and entry is not None:
        outlived = _less(outlived, pairs_between(-risk, weight, time, entry), None)
    return Pairs(later, outlived)


def pairs_between(
    risk: Float[np.ndarray, " patient"],
    weight: Float[np.ndarray, " patient"],
    own: Float[np.ndarray, " patient"],
    asked: Float[np.ndarray, " patient"],
) -> Parts:
    """For each patient the weight of those whose `own` is at most what the patient `asked`.

    Of these: with a smaller risk, with an equal one, all.
    """
    count = len(risk)
    place, how = distinct(np.concatenate([own, asked]))[1], np.tile(distinct(risk)[1], 2)
    order = np.argsort(2 * place + np.repeat([0, 1], count), kind="stable")
    weights = np.concatenate([weight, np.zeros(count)])[order]
    smaller = earlier_and_smaller(_ranks(how[order]), weights)
    equal = _equal_before(how[order], weights, np.arange(2 * count))
    total = np.append(0.0, weights.cumsum())[:-1]
    smaller, equal, total = (_back(part, order)[count:] for part in (smaller, equal, total))
    return smaller, equal, total


def _sum(one: Parts, other: Parts) -> Parts:
    concordant, tied, total = (a + b for a, b in zip(one, other, strict=True))
    return concordant, tied, total


def _less(parts: Parts, absent: Parts, weight: Float[np.ndarray, " patient"] | None) -> Parts:
    """Pairs without those of patients who had not entered."""
    scale = 1.0 if weight is None else weight
    concordant, tied, total = (
        part - scale * gone for part, gone in zip(parts, absent, strict=True)
    )
    return concordant, tied, total


def _as_earlier(
    when: Int[np.ndarray, " patient"],
    event: Bool[np.ndarray, " patient"],
    how: Int[np.ndarray, " patient"],
    weight: Float[np.ndarray, " patient"],
) -> Parts:
    """Of each patient's pairs with those who outlived the event: concordant, tied, all."""
    # From the last time to the first, the censored before the events that they outlived; among
    # events at one time, the higher risk first, so that none counts another as smaller.
    most = len(how)
    order = np.argsort((event - 2 * when) * most - how)
    fence = _fence(when[order], event[order])
    smaller = earlier_and_smaller(_ranks(how[order]))
    tied = _equal_before(how[order], np.ones(len(when)), fence)
    begun = weight[order]
    concordant, equal, total = (_back(begun * part, order) for part in (smaller, tied, fence))
    return concordant, equal, total


def _as_later(
    when: Int[np.ndarray, " patient"],
    event: Bool[np.ndarray, " patient"],
    how: Int[np.ndarray, " patient"],
    weight: Float[np.ndarray, " patient"],
) -> Parts:
    """Of each patient's pairs with the events that the patient outlived: concordant, tied, all."""
    most = len(how)
    order = np.argsort((2 * when + ~event) * most + how)
    fence = _fence(when[order], event[order])
    larger = earlier_and_smaller(_ranks(how.max(initial=-1) - how[order]), weight[order])
    tied = _equal_before(how[order], weight[order], fence)
    total = np.append(0.0, weight[order].cumsum())[fence]
    return _back(larger, order), _back(tied, order), _back(total, order)


def _fence(
    when: Int[np.ndarray, " patient"], event: Bool[np.ndarray, " patient"]
) -> Int[np.ndarray, " patient"]:
    """How many come before: all of an earlier block; of the own block only for the censored."""
    change = np.diff(2 * when + event, prepend=-1) != 0
    return np.maximum.accumulate(np.where(change, np.arange(len(when)), 0))


def _ranks(codes: Int[np.ndarray, " patient"]) -> Int[np.ndarray, " patient"]:
    """Ranks from 0; of equal codes the later in the sequence ranks lower, so none is smaller."""
    count = len(codes)
    if int(codes.max(initial=-1)) == count - 1:
        return codes
    ranks = np.empty(count, dtype=np.int64)
    ranks[np.argsort(codes * count + np.arange(count - 1, -1, -1))] = np.arange(count)
    return ranks


def _equal_before(
    codes: Int[np.ndarray, " patient"],
    weight: Float[np.ndarray, " patient"],
    fence: Int[np.ndarray, " patient"],
) -> Float[np.ndarray, " patient"]:
    """The weight of equal codes that stand before each fence; codes may lack no number."""
    count = len(codes)
    if int(codes.max(initial=-1)) == count - 1:
        return np.zeros(count)
    base = codes * (count + 1)
    key = base + np.arange(count)
    order = np.argsort(key)
    key, base = key[order], base[order]
    running = np.append(0.0, weight[order].cumsum())
    # Fences never fall along the sequence, so within a code they are asked for in ascending order.
    equal = running[np.searchsorted(key, base + fence[order])] - running[np.searchsorted(key, base)]
    return _back(equal, order)


def _back(
    values: Float[np.ndarray, " patient"] | Int[np.ndarray, " patient"],
    order: Int[np.ndarray, " patient"],
) -> Float[np.ndarray, " patient"]:
    restored = np.empty(len(values))
    restored[order] = values
    return restored
