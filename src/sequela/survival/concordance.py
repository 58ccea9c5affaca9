"""Concordance of risk with censored times: Harrell's and Uno's C, with every pair counted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int

from sequela.errors import UndefinedMetricError
from sequela.survival.comparable_pairs import Pairs, count_pairs
from sequela.survival.population_weights import PopulationWeights
from sequela.survival.risk_sets import distinct

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

    @property
    def weight(self) -> float:
        """Of all comparable pairs together."""
        return self.concordant + self.discordant + self.tied_risk

    def moved_by(self, excess: Float[np.ndarray, " patient"]) -> Concordance:
        """With an influence that counts how each patient moves the weights of pairs.

        Args:
            excess: How it moves the sum of what pairs won more than their share.
        """
        if self.influence is None:
            raise ValueError("concordance was computed without influence=True")
        return replace(self, influence=self.influence + excess / self.weight)

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
    known_weights: bool = True,
) -> Concordance:
    """C of a risk in O(n log n).

    Args:
        time: Days to event or last contact.
        event: True where the event of interest was observed.
        risk: Higher is worse.
        entry: Days at which observation began; who enters at or after an event is not compared
            with it. None for from the start.
        pairs: `harrell` counts every comparable pair once; `uno` weighs it by 1/G(t-)^2. With
            delayed entry n S(t-) / Y(t) stands for 1/G(t-), and C is that of the population from
            which patients entered, if entry tells nothing of the event.
        horizon: Events later than this day begin no pair; None for all.
        influence: Whether the standard error will be asked for, which doubles the time.
        known_weights: Whether the influence takes Uno's weights as known, as R does; else it
            counts that they were estimated on the same patients.

    Raises:
        UndefinedMetricError: If no pair is comparable.

    Source: Harrell et al. 1982; Uno et al. 2011; conventions of R survival::concordance.
    """
    begins = event if horizon is None else event & (time <= horizon)
    weight = begins.astype(float)
    weights = PopulationWeights.of(time, event, entry) if pairs == "uno" else None
    if weights is not None:
        weight *= weights.of_events() ** 2
    counted = count_pairs(time, event, risk, weight, entry=entry, influence=influence)
    found = of_pairs(counted, tied_events(time[begins], risk[begins]))
    if weights is None or known_weights or not influence:
        return found
    won, tied, total = counted.begun
    return found.moved_by(weights.moved(2 * (won + tied / 2 - found.value * total)))


def of_pairs(pairs: Pairs, tied_events: tuple[float, float]) -> Concordance:
    """C of some pairs, given how many pairs of events at one time there are.

    Raises:
        UndefinedMetricError: If there are none.
    """
    concordant, tied, total = (float(part.sum()) for part in pairs.begun)
    if total <= 0:
        raise UndefinedMetricError(
            "concordance needs patients who outlived an event, found none among "
            f"{len(pairs.begun[0])} patients"
        )
    value = (concordant + tied / 2) / total
    influence = None
    if pairs.outlived is not None:
        later, earlier = pairs.begun, pairs.outlived
        gained = later[0] + earlier[0] + (later[1] + earlier[1]) / 2
        influence = (gained - value * (later[2] + earlier[2])) / total
    return Concordance(
        value=value,
        concordant=concordant,
        discordant=total - concordant - tied,
        tied_risk=tied,
        tied_time=tied_events[0],
        tied_both=tied_events[1],
        influence=influence,
    )


def tied_events(
    time: Float[np.ndarray, " event"], risk: Float[np.ndarray, " event"]
) -> tuple[float, float]:
    """Pairs of events at one time: with different risks, with equal risks."""
    when, how = distinct(time)[1], distinct(risk)[1]
    counts = np.bincount(when)
    same = float((counts * (counts - 1) / 2).sum())
    groups = np.sort(when * (len(how) + 1) + how)
    starts = np.flatnonzero(np.append(np.diff(groups, prepend=-1) != 0, True))
    counts = np.diff(starts)
    both = float((counts * (counts - 1) / 2).sum())
    return same - both, both
