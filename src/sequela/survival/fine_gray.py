"""Fine and Gray's regression of the cumulative incidence, competing events staying at risk."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int

from sequela.survival.cox import baseline_hazard_of, checked_scale, inverse, maximised
from sequela.survival.cox_likelihood import (
    Exposure,
    Lingering,
    Partial,
    Ties,
    exposure,
    partial_likelihood,
    score_residuals,
)
from sequela.survival.risk_sets import risk_sets, step
from sequela.survival.wald import Wald


@dataclass(frozen=True)
class FineGray(Wald):
    """A fitted model of the subdistribution hazard of one cause.

    Attributes:
        coefficients: Log subdistribution hazard ratios.
        variance: Of the coefficients, the estimation of the censoring weights counted in.
        log_likelihood: Weighted partial, at the coefficients.
        null_log_likelihood: At zero.
        centre: Covariate means, at which the baseline stands.
        baseline_time: Event times.
        baseline_hazard: Cumulative baseline subdistribution hazard at those times.
        patients: How many were fitted.
        events: How many of them had the event of the cause.
    """

    coefficients: Float[np.ndarray, " feature"]
    variance: Float[np.ndarray, "feature feature"]
    log_likelihood: float
    null_log_likelihood: float
    centre: Float[np.ndarray, " feature"]
    baseline_time: Float[np.ndarray, " moment"]
    baseline_hazard: Float[np.ndarray, " moment"]
    patients: int
    events: int

    def incidence(
        self,
        covariates: Float[np.ndarray, "patient feature"],
        times: Float[np.ndarray, " time"],
    ) -> Float[np.ndarray, "patient time"]:
        """Probability of having had the event of the cause by `times`."""
        hazard = step(self.baseline_time, self.baseline_hazard, times, before=0.0)
        relative = np.exp((covariates - self.centre) @ self.coefficients)
        return -np.expm1(-relative[:, None] * hazard)


def fit_fine_gray(
    covariates: Float[np.ndarray, "patient feature"],
    time: Float[np.ndarray, " patient"],
    event: Int[np.ndarray, " patient"],
    *,
    cause: int = 1,
    ties: Ties = "breslow",
) -> FineGray:
    """Fit the proportional subdistribution hazards model of one cause, in O(n log n).

    Who has a competing event stays at risk, weighing G(t-)/G(T-), G being the curve of staying
    uncensored.

    Args:
        covariates: One column a covariate, complete.
        time: Days to event or last contact.
        event: 0 censored, k >= 1 cause k.
        cause: Which cause.
        ties: `breslow` as R's crr, in whose G patients with an event at t are at risk of censoring
            at t; `efron` as R's finegray, in whose G they are not.

    Raises:
        UndefinedMetricError: As `fit_cox`.

    Source: Fine & Gray 1999, the variance from eq. 7 and 8; R cmprsk::crr and survival::finegray.
    """
    order = np.argsort(time, kind="stable")
    covariates, time, event = covariates[order], time[order], event[order]
    scale = checked_scale(covariates, event == cause)
    centre = covariates.mean(axis=0)
    scaled = (covariates - centre) / scale
    censoring = Censoring.of(time, event, ties)
    sets = subdistribution(time, event, cause, ties, censoring)
    null = partial_likelihood(scaled, np.zeros(len(scale)), sets)
    fitted, coefficients = maximised(scaled, sets, null, 0.0)
    bread = inverse(fitted.information)
    parts = score_residuals(scaled, sets, fitted)
    parts = parts + _through_censoring(scaled, time, event, sets, fitted, censoring)
    influence = parts @ bread / scale
    return FineGray(
        coefficients=coefficients / scale,
        variance=influence.T @ influence,
        log_likelihood=fitted.log_likelihood,
        null_log_likelihood=null.log_likelihood,
        centre=centre,
        baseline_time=sets.time,
        baseline_hazard=baseline_hazard_of(sets, fitted),
        patients=len(time),
        events=len(sets.event),
    )


@dataclass(frozen=True)
class Censoring:
    """Censored at each distinct time, those at risk of it, and the curve G after it."""

    time: Float[np.ndarray, " moment"]
    censored: Float[np.ndarray, " moment"]
    at_risk: Float[np.ndarray, " moment"]
    uncensored: Float[np.ndarray, " moment"]

    @classmethod
    def of(
        cls, time: Float[np.ndarray, " patient"], event: Int[np.ndarray, " patient"], ties: Ties
    ) -> Censoring:
        """The curve of some patients; who is at risk of censoring as `fit_fine_gray` has it."""
        sets = risk_sets(time, event > 0)
        at_risk = sets.at_risk - sets.events if ties == "efron" else sets.at_risk
        lost = np.divide(sets.censored, at_risk, out=np.zeros(len(at_risk)), where=at_risk > 0)
        return cls(sets.time, sets.censored, at_risk, (1 - lost).cumprod())

    def before(self, times: Float[np.ndarray, " time"]) -> Float[np.ndarray, " time"]:
        """G just before `times`."""
        return step(self.time, self.uncensored, times, before=1.0, left=True)


def subdistribution(
    time: Float[np.ndarray, " patient"],
    event: Int[np.ndarray, " patient"],
    cause: int,
    ties: Ties,
    censoring: Censoring,
) -> Exposure:
    """Risk sets in which who has had a competing event lingers, weighing G(t-)/G(T-)."""
    sets = exposure(time, event == cause, ties=ties)
    competing = (event > 0) & (event != cause)
    share = np.divide(1.0, censoring.before(time), out=np.zeros(len(time)), where=competing)
    return replace(sets, lingering=Lingering(sets.last, share, censoring.before(sets.time)))


def _through_censoring(
    scaled: Float[np.ndarray, "patient feature"],
    time: Float[np.ndarray, " patient"],
    event: Int[np.ndarray, " patient"],
    sets: Exposure,
    fitted: Partial,
    censoring: Censoring,
) -> Float[np.ndarray, "patient feature"]:
    """Each patient's part of the score through the estimated weights.

    A censoring at u lowers G(t-)/G(T-) of all who have had a competing event before u, at all later
    events t: by q(u) / Y(u), where q(u) sums their weighted distance from the mean of risk sets.

    Source: Fine & Gray 1999, psi below eq. 8.
    """
    lingering = sets.lingering
    assert lingering is not None  # noqa: S101
    weight = (fitted.relative * lingering.share)[:, None]
    gone = np.concatenate([np.zeros((1, scaled.shape[1] + 1)), _with_one(scaled, weight).cumsum(0)])
    earlier = gone[np.searchsorted(time, censoring.time, side="left")]
    share = lingering.level[:, None] * sets.by_moment(
        _with_one(fitted.means, 1 / fitted.denominator[:, None])
    )
    ahead = np.concatenate([share[::-1].cumsum(axis=0)[::-1], np.zeros_like(share[:1])])
    later = ahead[np.searchsorted(sets.time, censoring.time, side="left")]
    distance = earlier[:, :-1] * later[:, -1:] - earlier[:, -1:] * later[:, :-1]
    at_risk = np.maximum(censoring.at_risk, 1.0)[:, None]
    own = distance / at_risk
    running = (own * censoring.censored[:, None] / at_risk).cumsum(axis=0)
    place = np.searchsorted(censoring.time, time)
    return np.where((event == 0)[:, None], own[place], 0.0) - running[place]


def _with_one(
    values: Float[np.ndarray, "any feature"], weight: Float[np.ndarray, "any 1"]
) -> Float[np.ndarray, "any more"]:
    """Weighted values, and the weights as last column."""
    return np.concatenate([weight * values, weight], axis=1)
