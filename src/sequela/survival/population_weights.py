"""What each patient stands for in the population, and how that moves with who is in the sample."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from sequela.survival.censoring import survivors
from sequela.survival.risk_sets import distinct, risk_sets


@dataclass(frozen=True)
class PopulationWeights:
    """n S(t-) / Y(t) for events, which is 1/G(t-), at any horizon after one sorting.

    Attributes:
        time: Days to event or last contact.
        event: True where the event was observed.
        entry: Days at which observation began, None for from the start.
        place: Which distinct time is the patient's own.
        since: How many distinct times had passed when the patient came under observation.
        moments: The distinct times, ascending.
        at_risk: Patients at risk at each of them.
        events: Events at each of them.
        before: Survival just before each of them, and after the last.
    """

    time: Float[np.ndarray, " patient"]
    event: Bool[np.ndarray, " patient"]
    entry: Float[np.ndarray, " patient"] | None
    place: Int[np.ndarray, " patient"]
    since: Int[np.ndarray, " patient"]
    moments: Float[np.ndarray, " moment"]
    at_risk: Float[np.ndarray, " moment"]
    events: Float[np.ndarray, " moment"]
    before: Float[np.ndarray, " more"]

    @classmethod
    def of(
        cls,
        time: Float[np.ndarray, " patient"],
        event: Bool[np.ndarray, " patient"],
        entry: Float[np.ndarray, " patient"] | None = None,
    ) -> PopulationWeights:
        """Of some patients, in O(n log n)."""
        moments, place = distinct(time)
        sets = risk_sets(time, event, entry=entry, moments=(moments, place))
        since = np.zeros(len(time), dtype=np.int64)
        if entry is not None:
            since = np.searchsorted(moments, entry, side="right")
        at_risk = np.maximum(sets.at_risk, 1.0)
        before = np.append(1.0, (1 - sets.events / at_risk).cumprod())
        return cls(time, event, entry, place, since, moments, at_risk, sets.events, before)

    def of_events(self) -> Float[np.ndarray, " patient"]:
        """1/G(t-), written n S(t-) / Y(t), at each patient's own time."""
        weights: Float[np.ndarray, " patient"]
        weights = (len(self.time) * self.before[:-1] / self.at_risk)[self.place]
        return weights

    def free(self, horizon: float) -> Bool[np.ndarray, " patient"]:
        """Who is seen free of the event at the horizon."""
        free = survivors(self.time, self.event, horizon)
        return free if self.entry is None else free & (self.entry <= horizon)

    def at(self, horizon: float) -> Float[np.ndarray, " patient"]:
        """What `censoring_weights` gives; all NaN where nobody is free at the horizon."""
        free = self.free(horizon)
        passed = int(np.searchsorted(self.moments, horizon, side="right"))
        left = len(self.time) * float(self.before[passed])
        if not free.any() or left <= 0:
            return np.full(len(self.time), np.nan)
        happened = self.event & (self.time <= horizon)
        return np.where(happened, self.of_events(), 0.0) + free * (left / free.sum())

    def moved(
        self, terms: Float[np.ndarray, " patient"], horizon: float = np.inf
    ) -> Float[np.ndarray, " patient"]:
        """How a sum of terms moves, to first order, when a patient counts more in the weights.

        Args:
            terms: Each patient's, holding as factor the weight that the patient has at `horizon`;
                of events only, where there is no horizon. A term with the weight squared counts
                twice.
            horizon: Of the weights.

        Source: the derivative of log(n S(t-) / Y(t)) by each patient's case weight, exact.
        """
        free = self.free(horizon) if np.isfinite(horizon) else np.zeros(len(terms), dtype=bool)
        lasting = float(terms[free].sum())
        here = np.bincount(self.place, np.where(free, 0.0, terms), len(self.moments))
        later = here[::-1].cumsum()[::-1] - here + lasting * (self.moments <= horizon)
        stay = self.at_risk - self.events
        outlived = np.divide(1.0, stay, out=np.zeros_like(stay), where=stay > 0)
        running = ((outlived - 1 / self.at_risk) * later - here / self.at_risk).cumsum()
        running = np.append(0.0, running)
        moved = (here.sum() + lasting) / len(terms) + running[self.place + 1] - running[self.since]
        moved -= np.where(self.event, (outlived * later)[self.place], 0.0)
        if free.any():
            moved -= free * (lasting / free.sum())
        return moved
