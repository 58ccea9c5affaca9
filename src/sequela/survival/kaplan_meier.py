"""The Kaplan-Meier estimate of survival, with Greenwood's variance and log-log intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from sequela.errors import UndefinedMetricError
from sequela.survival.normal import two_sided_width
from sequela.survival.risk_sets import RiskSets, risk_sets, step


@dataclass(frozen=True)
class KaplanMeier:
    """A survival curve; before the first moment it is 1, past the last it stays level.

    Attributes:
        sets: Counts at each distinct time.
        survival: Probability of being free of the event after each of those times.
        log_variance: Greenwood's sum, the variance of log survival (infinite where survival is 0).
    """

    sets: RiskSets
    survival: Float[np.ndarray, " moment"]
    log_variance: Float[np.ndarray, " moment"]

    @property
    def time(self) -> Float[np.ndarray, " moment"]:
        """The distinct times of event or censoring, ascending."""
        return self.sets.time

    def at(
        self, times: Float[np.ndarray, " time"], *, left: bool = False
    ) -> Float[np.ndarray, " time"]:
        """Survival at `times`, or just before them."""
        return step(self.time, self.survival, times, before=1.0, left=left)

    def standard_error(self, times: Float[np.ndarray, " time"]) -> Float[np.ndarray, " time"]:
        """Greenwood's standard error of survival at `times`; 0 where survival is 0 or 1."""
        survival = self.at(times)
        spread = step(self.time, np.sqrt(self.log_variance), times, before=0.0)
        return np.where(survival > 0, survival * np.where(survival > 0, spread, 0.0), 0.0)

    def interval(
        self, times: Float[np.ndarray, " time"], *, level: float = 0.95
    ) -> tuple[Float[np.ndarray, " time"], Float[np.ndarray, " time"]]:
        """Log-log confidence limits of survival at `times`.

        Where survival is still 1 or already 0 the limits do not exist and are NaN.

        Source: Kalbfleisch & Prentice 2002, section 1.4; R survfit(conf.type="log-log").
        """
        low, high = _log_log_limits(self.survival, self.log_variance, level)
        return (
            step(self.time, low, times, before=np.nan),
            step(self.time, high, times, before=np.nan),
        )

    def at_risk(self, times: Float[np.ndarray, " time"]) -> Float[np.ndarray, " time"]:
        """Numbers at risk at `times`: those whose time is at or after each (no delayed entry)."""
        place = np.searchsorted(self.time, times, side="left")
        return np.append(self.sets.at_risk, 0.0)[place]

    def median(
        self, *, level: float = 0.95
    ) -> tuple[float | None, tuple[float | None, float | None]]:
        """The first time at which survival is at most one half, and its limits; None unreached.

        Where survival is exactly one half over a stretch, its middle, as R does.

        Source: Brookmeyer & Crowley 1982.
        """
        low, high = _log_log_limits(self.survival, self.log_variance, level)
        limits = (_first_half(self.time, low), _first_half(self.time, high))
        return _first_half(self.time, self.survival), limits

    def restricted_mean(self, horizon: float) -> tuple[float, float]:
        """Mean survival time up to `horizon`, and its standard error, in days.

        Raises:
            UndefinedMetricError: If follow-up ends before the horizon with survivors left.

        Source: R survival print.survfit(rmean=); Klein & Moeschberger 2003, section 4.5.
        """
        self.require(horizon)
        inner = self.time < horizon
        knots = np.concatenate([[0.0], self.time[inner], [horizon]])
        heights = np.append(1.0, self.survival[inner])
        areas = heights * np.diff(knots)
        ahead = areas[::-1].cumsum()[::-1][1:]
        increments = np.diff(self.log_variance[inner], prepend=0.0)
        finite = ahead > 0
        variance = (ahead[finite] ** 2 * increments[finite]).sum()
        return float(areas.sum()), float(np.sqrt(variance))

    def require(self, horizon: float) -> None:
        """Raise an UndefinedMetricError if the curve does not reach `horizon`."""
        if len(self.time) == 0 or (self.time[-1] < horizon and self.survival[-1] > 0):
            last = self.time[-1] if len(self.time) else 0.0
            raise UndefinedMetricError(
                f"survival at day {horizon:g} needs follow-up to that day, it ends at day {last:g}",
                hint="choose an earlier horizon",
            )


def kaplan_meier(
    time: Float[np.ndarray, " patient"],
    event: Bool[np.ndarray, " patient"],
    *,
    entry: Float[np.ndarray, " patient"] | None = None,
    weight: Float[np.ndarray, " patient"] | None = None,
) -> KaplanMeier:
    """The Kaplan-Meier curve of some patients.

    Source: Kaplan & Meier 1958; conventions of R survival::survfit.
    """
    sets = risk_sets(time, event, entry=entry, weight=weight)
    at_risk = np.maximum(sets.at_risk, np.finfo(float).tiny)
    survivors = np.where(sets.events > 0, sets.at_risk - sets.events, sets.at_risk)
    survival = np.where(sets.events > 0, survivors / at_risk, 1.0).cumprod()
    with np.errstate(divide="ignore", invalid="ignore"):
        greenwood = np.where(sets.events > 0, sets.events / (at_risk * survivors), 0.0)
    return KaplanMeier(sets, survival, greenwood.cumsum())


def _log_log_limits(
    survival: Float[np.ndarray, " moment"], log_variance: Float[np.ndarray, " moment"], level: float
) -> tuple[Float[np.ndarray, " moment"], Float[np.ndarray, " moment"]]:
    inside = (survival > 0) & (survival < 1)
    log_survival = np.log(survival, out=np.full(len(survival), -1.0), where=inside)
    spread = np.sqrt(log_variance, out=np.zeros(len(survival)), where=inside)
    width = two_sided_width(level) * spread / -log_survival
    low = np.where(inside, np.exp(log_survival * np.exp(width)), np.nan)
    return low, np.where(inside, np.exp(log_survival * np.exp(-width)), np.nan)


def _first_half(
    time: Float[np.ndarray, " moment"], values: Float[np.ndarray, " moment"]
) -> float | None:
    below = np.flatnonzero(values <= 0.5 + 1e-12)
    if not len(below):
        return None
    first = below[0]
    if abs(values[first] - 0.5) > 1e-12:
        return float(time[first])
    later = np.flatnonzero(values < 0.5 - 1e-12)
    return float((time[first] + time[later[0]]) / 2) if len(later) else float(time[first])
