"""Cumulative incidence where events compete (Aalen-Johansen), and cumulative hazard."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from sequela.errors import UndefinedMetricError
from sequela.survival.normal import two_sided_width
from sequela.survival.risk_sets import risk_sets, step


@dataclass(frozen=True)
class CumulativeIncidence:
    """The probability of having had one cause's event, others competing.

    Attributes:
        time: Distinct times of event or censoring, ascending.
        incidence: After each of those times.
        events_of_cause: At each of those times.
        at_risk: At each of those times.
        patient_time: Days to event or last contact of the patients behind it.
        patient_event: Their events, 0 censored.
        patient_entry: When their observation began, None for from the start.
        cause: Which event.
    """

    time: Float[np.ndarray, " moment"]
    incidence: Float[np.ndarray, " moment"]
    events_of_cause: Float[np.ndarray, " moment"]
    events: Float[np.ndarray, " moment"]
    at_risk: Float[np.ndarray, " moment"]
    patient_time: Float[np.ndarray, " patient"]
    patient_event: Int[np.ndarray, " patient"]
    patient_entry: Float[np.ndarray, " patient"] | None
    cause: int

    def at(self, times: Float[np.ndarray, " time"]) -> Float[np.ndarray, " time"]:
        """Incidence at `times`."""
        return step(self.time, self.incidence, times, before=0.0)

    def require(self, horizon: float) -> None:
        """Raise an UndefinedMetricError if observation does not reach `horizon`."""
        last = float(self.time[-1]) if len(self.time) else 0.0
        ended = len(self.time) > 0 and self.events[-1] == self.at_risk[-1]
        if last < horizon and not ended:
            raise UndefinedMetricError(
                f"incidence at day {horizon:g} needs follow-up to that day, it ends at day "
                f"{last:g}",
                hint="choose an earlier horizon",
            )

    def influence(self, times: Float[np.ndarray, " time"]) -> Float[np.ndarray, "patient time"]:
        """What each patient adds to the incidence at `times`, to first order.

        With S the survival of any event, F the incidence, Y those at risk and N the events, patient
        i adds the sum over u <= t of -(dN_i - Y_i dN / Y) (F(t) - F(u)) / (Y - dN), the change of
        S, and of S(u-) (dN_ik - Y_i dN_k / Y) / Y, the change of the hazard of cause k.
        """
        staying = self.at_risk - self.events
        inverse = np.divide(1.0, staying, out=np.zeros(len(staying)), where=staying > 0)
        hazard = self.events * inverse / self.at_risk
        before = np.append(1.0, np.cumprod(1 - self.events / self.at_risk))[:-1]
        share = before / self.at_risk
        moved = np.stack(
            [hazard, hazard * self.incidence + share * self.events_of_cause / self.at_risk]
        )
        level = self.at(times)
        result = self._endured(moved, times, level)
        place = np.searchsorted(self.time, self.patient_time)
        seen = self.patient_time[:, None] <= times
        ended = (self.patient_event > 0)[:, None] & seen
        of_cause = (self.patient_event == self.cause)[:, None] & seen
        lost = inverse[place, None] * (level - self.incidence[place, None])
        return result - ended * lost + of_cause * share[place, None]

    def _endured(
        self,
        moved: Float[np.ndarray, "2 moment"],
        times: Float[np.ndarray, " time"],
        level: Float[np.ndarray, " time"],
    ) -> Float[np.ndarray, "patient time"]:
        running = np.concatenate([np.zeros((2, 1)), moved.cumsum(axis=1)], axis=1)
        until = np.minimum(self.patient_time[:, None], times)
        sums = running[:, np.searchsorted(self.time, until, side="right")]
        if self.patient_entry is not None:
            since = np.minimum(self.patient_entry[:, None], until)
            sums = sums - running[:, np.searchsorted(self.time, since, side="right")]
        return level * sums[0] - sums[1]

    def standard_error(
        self,
        times: Float[np.ndarray, " time"],
        *,
        cluster: Int[np.ndarray, " patient"] | None = None,
    ) -> Float[np.ndarray, " time"]:
        """The infinitesimal jackknife's, summed over clusters where rows belong together.

        Source: Therneau & Atkinson, survival vignette, appendix; R survfit.
        """
        influence = self.influence(times)
        if cluster is not None:
            place = np.unique(cluster, return_inverse=True)[1]
            sums = np.zeros((int(place.max()) + 1, len(times)))
            np.add.at(sums, place, influence)
            influence = sums
        return np.sqrt((influence**2).sum(axis=0))

    def interval(
        self,
        times: Float[np.ndarray, " time"],
        *,
        level: float = 0.95,
        cluster: Int[np.ndarray, " patient"] | None = None,
    ) -> tuple[Float[np.ndarray, " time"], Float[np.ndarray, " time"]]:
        """Complementary log-log limits of the incidence; NaN where it is 0 or 1.

        Source: Marubini & Valsecchi 1995, section 10.2.
        """
        value = self.at(times)
        inside = (value > 0) & (value < 1)
        free = np.where(inside, 1 - value, 0.5)
        spread = self.standard_error(times, cluster=cluster) / (free * -np.log(free))
        width = two_sided_width(level) * spread
        low, high = (1 - free ** np.exp(sign * width) for sign in (-1, 1))
        return np.where(inside, low, np.nan), np.where(inside, high, np.nan)


def aalen_johansen(
    time: Float[np.ndarray, " patient"],
    event: Int[np.ndarray, " patient"],
    *,
    cause: int = 1,
    entry: Float[np.ndarray, " patient"] | None = None,
) -> CumulativeIncidence:
    """The cumulative incidence of `cause`; with one cause, one minus Kaplan-Meier.

    Args:
        time: Days to event or last contact.
        event: 0 censored, k >= 1 cause k.
        cause: Which cause.
        entry: Days at which observation began; None for from the start.

    Source: Aalen & Johansen 1978; conventions of R survival::survfit.
    """
    of_cause = risk_sets(time, event == cause, entry=entry)
    events = risk_sets(time, event > 0, entry=entry).events
    at_risk = np.maximum(of_cause.at_risk, 1e-300)
    before = np.append(1.0, np.cumprod(1 - events / at_risk))[:-1]
    incidence = np.cumsum(before * of_cause.events / at_risk)
    return CumulativeIncidence(
        of_cause.time, incidence, of_cause.events, events, at_risk, time, event, entry, cause
    )


@dataclass(frozen=True)
class CumulativeHazard:
    """The Nelson-Aalen cumulative hazard and its variance at each distinct time."""

    time: Float[np.ndarray, " moment"]
    hazard: Float[np.ndarray, " moment"]
    variance: Float[np.ndarray, " moment"]

    def at(self, times: Float[np.ndarray, " time"]) -> Float[np.ndarray, " time"]:
        """Cumulative hazard at `times`."""
        return step(self.time, self.hazard, times, before=0.0)


def nelson_aalen(
    time: Float[np.ndarray, " patient"],
    event: Int[np.ndarray, " patient"],
    *,
    cause: int = 1,
    entry: Float[np.ndarray, " patient"] | None = None,
) -> CumulativeHazard:
    """The cumulative hazard of one cause, competing events counted as censored.

    Source: Nelson 1972; Aalen 1978, with the Poisson variance that R's survfit gives.
    """
    sets = risk_sets(time, event == cause, entry=entry)
    at_risk = np.maximum(sets.at_risk, 1e-300)
    return CumulativeHazard(
        sets.time, (sets.events / at_risk).cumsum(), (sets.events / at_risk**2).cumsum()
    )
