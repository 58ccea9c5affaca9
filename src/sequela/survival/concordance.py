"""Concordance of risk with censored times: Harrell's and Uno's C, with every pair counted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int

from sequela.errors import UndefinedMetricError
from sequela.survival.censoring import censoring_survival
from sequela.survival.dominance import earlier_and_smaller
from sequela.survival.risk_sets import step

TimeWeight = Literal["harrell", "uno"]


@dataclass(frozen=True)
class Concordance:
    """C with its pairs.

    A pair is comparable when the earlier of the two has the event; a patient censored at the time
    of an event outlived it.

    Attributes:
        value: (concordant + tied_risk / 2) / (concordant + discordant + tied_risk).
        concordant: Weight of comparable pairs in which the earlier event has the higher risk.
        discordant: In which it has the lower risk.
        tied_risk: In which the risks are equal.
        tied_time: Pairs of events at one time with different risks (unweighted).
        tied_both: Pairs of events at one time with equal risks (unweighted).
        influence: What each patient adds to `value`, to first order; None where not asked for.
    """

    value: float
    concordant: float
    discordant: float
    tied_risk: float
    tied_time: float
    tied_both: float
    influence: Float[np.ndarray, " patient"] | None

    def standard_error(self, cluster: Int[np.ndarray, " patient"] | None = None) -> float:
        """The infinitesimal jackknife's, summed over clusters where rows belong together.

        Raises:
            ValueError: If the concordance was computed without `influence`.

        Source: Therneau & Watson 2017; R survival::concordance.
        """
        influence = self.influence
        if influence is None:
            raise ValueError("concordance was computed without influence=True")
        if cluster is not None:
            place = np.unique(cluster, return_inverse=True)[1]
            influence = np.bincount(place, influence)
        return float(np.sqrt((influence**2).sum()))

    def less(
        self, other: Concordance, cluster: Int[np.ndarray, " patient"] | None = None
    ) -> tuple[float, float]:
        """This C minus that of another risk on the same patients, and its standard error.

        Source: Therneau & Watson 2017; R survival::concordance of two models.
        """
        if self.influence is None or other.influence is None:
            raise ValueError("concordance was computed without influence=True")
        apart = replace(self, influence=self.influence - other.influence)
        return self.value - other.value, apart.standard_error(cluster)


def concordance(
    time: Float[np.ndarray, " patient"],
    event: Bool[np.ndarray, " patient"],
    risk: Float[np.ndarray, " patient"],
    *,
    entry: Float[np.ndarray, " patient"] | None = None,
    pairs: TimeWeight = "harrell",
    horizon: float | None = None,
    influence: bool = True,
) -> Concordance:
    """C of a risk in O(n log n).

    Args:
        time: Days to event or last contact.
        event: True where the event of interest was observed.
        risk: Higher is worse.
        entry: Days at which observation began; who enters at or after an event is not compared
            with it. None for from the start.
        pairs: `harrell` counts every comparable pair once; `uno` weighs it by 1/G(t-)^2.
        horizon: Events later than this day begin no pair; None for all.
        influence: Whether the standard error will be asked for, which doubles the time.

    Raises:
        UndefinedMetricError: If no pair is comparable.

    Source: Harrell et al. 1982; Uno et al. 2011; conventions of R survival::concordance.
    """
    begins = event if horizon is None else event & (time <= horizon)
    weight = begins.astype(float)
    if pairs == "uno":
        weight *= inverse_square(time, event)
    counted = count_pairs(time, event, risk, weight, entry=entry, influence=influence)
    return counted.concordance(_tied_events(time[begins], risk[begins]))


_Parts = tuple[
    Float[np.ndarray, " patient"], Float[np.ndarray, " patient"], Float[np.ndarray, " patient"]
]


@dataclass(frozen=True)
class Pairs:
    """Comparable pairs of each patient: concordant, of tied risk, all.

    Attributes:
        begun: Those in which the patient has the earlier event.
        outlived: Those in which the patient is the other; None where not asked for.
    """

    begun: _Parts
    outlived: _Parts | None

    def concordance(self, tied_events: tuple[float, float]) -> Concordance:
        """C of these pairs, given how many pairs of events at one time there are."""
        concordant, tied, total = (float(part.sum()) for part in self.begun)
        if total <= 0:
            raise UndefinedMetricError(
                "concordance needs patients who outlived an event, found none among "
                f"{len(self.begun[0])} patients"
            )
        value = (concordant + tied / 2) / total
        gained = self.outlived and _influence(self.begun, self.outlived, value, total)
        return Concordance(
            value=value,
            concordant=concordant,
            discordant=total - concordant - tied,
            tied_risk=tied,
            tied_time=tied_events[0],
            tied_both=tied_events[1],
            influence=gained,
        )


def count_pairs(
    time: Float[np.ndarray, " patient"],
    event: Bool[np.ndarray, " patient"],
    risk: Float[np.ndarray, " patient"],
    weight: Float[np.ndarray, " patient"],
    *,
    entry: Float[np.ndarray, " patient"] | None = None,
    influence: bool = True,
) -> Pairs:
    """The comparable pairs of each patient, each weighing what its event does."""
    later = _as_earlier(time, event, risk, weight)
    if entry is not None:
        absent = _pairs_between(risk, np.ones(len(time)), -entry, -time)
        later = _less(later, absent, weight)
    outlived = _as_later(time, event, risk, weight) if influence else None
    if outlived and entry is not None:
        outlived = _less(outlived, _pairs_between(-risk, weight, time, entry), None)
    return Pairs(later, outlived)


def inverse_square(
    time: Float[np.ndarray, " patient"], event: Bool[np.ndarray, " patient"]
) -> Float[np.ndarray, " patient"]:
    """1/G(t-)^2 at each patient's time; whatever is not the event counts as censoring."""
    moments, curve = censoring_survival(time, event, np.ones((len(time), 1)))
    before = step(moments, curve[:, 0], time, before=1.0, left=True)
    return np.divide(1.0, before**2, out=np.zeros(len(time)), where=before > 0)


def _less(parts: _Parts, absent: _Parts, weight: Float[np.ndarray, " patient"] | None) -> _Parts:
    """Pairs without those of patients who had not entered."""
    scale = 1.0 if weight is None else weight
    concordant, tied, total = (
        part - scale * gone for part, gone in zip(parts, absent, strict=True)
    )
    return concordant, tied, total


def _pairs_between(
    risk: Float[np.ndarray, " patient"],
    weight: Float[np.ndarray, " patient"],
    own: Float[np.ndarray, " patient"],
    asked: Float[np.ndarray, " patient"],
) -> _Parts:
    """For each patient the weight of those whose `own` is at most what the patient `asked`.

    Of these: with a smaller risk, with an equal one, all.
    """
    count = len(risk)
    order = np.lexsort((np.repeat([0, 1], count), np.concatenate([own, asked])))
    risks = np.tile(risk, 2)[order]
    weights = np.concatenate([weight, np.zeros(count)])[order]
    smaller = earlier_and_smaller(_ranks(risks), weights)
    equal = _equal_before(risks, weights, np.arange(2 * count))
    total = np.append(0.0, weights.cumsum())[:-1]
    smaller, equal, total = (_back(part, order)[count:] for part in (smaller, equal, total))
    return smaller, equal, total


def _influence(
    later: _Parts, earlier: _Parts, value: float, total: float
) -> Float[np.ndarray, " patient"]:
    gained = later[0] + earlier[0] + (later[1] + earlier[1]) / 2
    return (gained - value * (later[2] + earlier[2])) / total


def _as_earlier(
    time: Float[np.ndarray, " patient"],
    event: Bool[np.ndarray, " patient"],
    risk: Float[np.ndarray, " patient"],
    weight: Float[np.ndarray, " patient"],
) -> _Parts:
    """Of each patient's pairs with those who outlived the event: concordant, tied, all."""
    # From the last time to the first, the censored before the events that they outlived; among
    # events at one time, the higher risk first, so that none counts another as smaller.
    order = np.lexsort((-risk, event, -time))
    fence = _fence(time[order], event[order])
    smaller = earlier_and_smaller(_ranks(risk[order]))
    tied = _equal_before(risk[order], np.ones(len(time)), fence)
    begun = weight[order]
    return tuple(_back(begun * part, order) for part in (smaller, tied, fence.astype(float)))  # type: ignore[return-value]


def _as_later(
    time: Float[np.ndarray, " patient"],
    event: Bool[np.ndarray, " patient"],
    risk: Float[np.ndarray, " patient"],
    weight: Float[np.ndarray, " patient"],
) -> _Parts:
    """Of each patient's pairs with the events that the patient outlived: concordant, tied, all."""
    order = np.lexsort((risk, ~event, time))
    fence = _fence(time[order], event[order])
    larger = earlier_and_smaller(_ranks(-risk[order]), weight[order])
    tied = _equal_before(risk[order], weight[order], fence)
    total = np.append(0.0, weight[order].cumsum())[fence]
    return _back(larger, order), _back(tied, order), _back(total, order)


def _fence(
    time: Float[np.ndarray, " patient"], event: Bool[np.ndarray, " patient"]
) -> Int[np.ndarray, " patient"]:
    """How many come before: all of an earlier block; of the own block only for the censored."""
    change = (np.diff(time, prepend=np.nan) != 0) | (np.diff(event.astype(int), prepend=2) != 0)
    return np.maximum.accumulate(np.where(change, np.arange(len(time)), 0))


def _ranks(values: Float[np.ndarray, " patient"]) -> Int[np.ndarray, " patient"]:
    """Ranks from 0; of equal values the later in the sequence ranks lower, so none is smaller."""
    order = np.lexsort((-np.arange(len(values)), values))
    ranks = np.empty(len(values), dtype=np.int64)
    ranks[order] = np.arange(len(values))
    return ranks


def _equal_before(
    values: Float[np.ndarray, " patient"],
    weight: Float[np.ndarray, " patient"],
    fence: Int[np.ndarray, " patient"],
) -> Float[np.ndarray, " patient"]:
    """The weight of equal values that stand before each fence."""
    order = np.argsort(values, kind="stable")
    change = np.diff(values[order], prepend=np.nan) != 0
    if change.all():
        return np.zeros(len(values))
    group = np.empty(len(values), dtype=np.int64)
    group[order] = np.cumsum(change) - 1
    key = group[order] * (len(values) + 1) + order
    running = np.append(0.0, weight[order].cumsum())
    base = group * (len(values) + 1)
    return running[np.searchsorted(key, base + fence)] - running[np.searchsorted(key, base)]


def _back(
    values: Float[np.ndarray, " patient"], order: Int[np.ndarray, " patient"]
) -> Float[np.ndarray, " patient"]:
    restored = np.empty_like(values)
    restored[order] = values
    return restored


def _tied_events(
    time: Float[np.ndarray, " event"], risk: Float[np.ndarray, " event"]
) -> tuple[float, float]:
    """Pairs of events at one time: with different risks, with equal risks."""
    order = np.lexsort((risk, time))
    later = np.diff(time[order], prepend=np.nan) != 0
    other = later | (np.diff(risk[order], prepend=np.nan) != 0)

    def pairs(starts: Bool[np.ndarray, " event"]) -> float:
        counts = np.diff(np.flatnonzero(np.append(starts, True)))
        return float((counts * (counts - 1) / 2).sum())

    both = pairs(other)
    return pairs(later) - both, both
