"""Fine and Gray's regression of the cumulative incidence, competing events staying at risk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int

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
from sequela.survival.risk_sets import RiskSets, distinct, risk_sets, step
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
        baseline_stratum: The stratum of each of them, counted from 0.
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
    baseline_stratum: Int[np.ndarray, " moment"]
    patients: int
    events: int

    def incidence(
        self,
        covariates: Float[np.ndarray, "patient feature"],
        times: Float[np.ndarray, " time"],
        *,
        stratum: int = 0,
    ) -> Float[np.ndarray, "patient time"]:
        """Probability of having had the event of the cause by `times`, in one stratum."""
        rows = self.baseline_stratum == stratum
        hazard = step(self.baseline_time[rows], self.baseline_hazard[rows], times, before=0.0)
        relative = np.exp((covariates - self.centre) @ self.coefficients)
        return -np.expm1(-relative[:, None] * hazard)


def fit_fine_gray(
    covariates: Float[np.ndarray, "patient feature"],
    time: Float[np.ndarray, " patient"],
    event: Int[np.ndarray, " patient"],
    *,
    cause: int = 1,
    entry: Float[np.ndarray, " patient"] | None = None,
    strata: Int[np.ndarray, " patient"] | None = None,
    cluster: Int[np.ndarray, " patient"] | None = None,
    ties: Ties = "breslow",
) -> FineGray:
    """Fit the proportional subdistribution hazards model of one cause, in O(n log n).

    Who has a competing event stays at risk, weighing G(t-)/G(T-), G being the curve of staying
    uncensored. With delayed entry the weight is G(t-)H(t-) over the same at T, H being the curve of
    having entered; the variance then takes the weights as known, as R's finegray does.

    Args:
        covariates: One column a covariate, complete.
        time: Days to event or last contact.
        event: 0 censored, k >= 1 cause k.
        cause: Which cause.
        entry: Days at which observation began, for delayed entry.
        strata: Each with its own baseline and its own weights.
        cluster: Which rows belong to one patient.
        ties: `breslow` as R's crr, in whose G patients with an event at t are at risk of censoring
            at t; `efron` as R's finegray, in whose G they are not. With delayed entry always so.

    Raises:
        UndefinedMetricError: As `fit_cox`.

    Source: Fine & Gray 1999, the variance from eq. 7 and 8; R cmprsk::crr and survival::finegray;
        Geskus 2011 for delayed entry; Zhou et al. 2011 for strata, 2012 for clusters.
    """
    code = np.zeros(len(time), dtype=np.int64) if strata is None else distinct(strata)[1]
    order = np.lexsort((time, code))
    covariates, time, event, code = covariates[order], time[order], event[order], code[order]
    entry = None if entry is None else entry[order]
    scale = checked_scale(covariates, event == cause)
    centre = covariates.mean(axis=0)
    scaled = (covariates - centre) / scale
    curves = censoring_curves(time, event, code, ties, entry)
    sets = subdistribution(time, event, code, cause, ties, entry, curves)
    null = partial_likelihood(scaled, np.zeros(len(scale)), sets)
    fitted, coefficients = maximised(scaled, sets, null, 0.0)
    parts = score_residuals(scaled, sets, fitted)
    if entry is None:
        for one, censoring in enumerate(curves):
            rows, here = code == one, sets.stratum == one
            parts[rows] += _through_censoring(
                scaled, time, event, sets, fitted, censoring, (rows, here)
            )
    influence = parts @ inverse(fitted.information) / scale
    if cluster is not None:
        place = distinct(cluster[order])[1]
        influence = np.stack([np.bincount(place, column) for column in influence.T], axis=1)
    return FineGray(
        coefficients=coefficients / scale,
        variance=influence.T @ influence,
        log_likelihood=fitted.log_likelihood,
        null_log_likelihood=null.log_likelihood,
        centre=centre,
        baseline_time=sets.time,
        baseline_hazard=baseline_hazard_of(sets, fitted),
        baseline_stratum=sets.stratum,
        patients=len(time),
        events=len(sets.event),
    )


@dataclass(frozen=True)
class Censoring:
    """Censored at each distinct time, those at risk of it, and the weight just before times."""

    time: Float[np.ndarray, " moment"]
    censored: Float[np.ndarray, " moment"]
    at_risk: Float[np.ndarray, " moment"]
    uncensored: Float[np.ndarray, " moment"]
    entered: Float[np.ndarray, " moment"]

    @classmethod
    def of(
        cls,
        time: Float[np.ndarray, " patient"],
        event: Int[np.ndarray, " patient"],
        ties: Ties,
        entry: Float[np.ndarray, " patient"] | None = None,
    ) -> Censoring:
        """The curve of some patients; who is at risk of censoring as `fit_fine_gray` has it."""
        sets = risk_sets(time, event > 0, entry=entry)
        spared = ties == "efron" or entry is not None
        at_risk = sets.at_risk - sets.events if spared else sets.at_risk
        lost = np.divide(sets.censored, at_risk, out=np.zeros(len(at_risk)), where=at_risk > 0)
        curve = (1 - lost).cumprod()
        entered = np.ones(len(curve)) if entry is None else _entered(sets)
        return cls(sets.time, sets.censored, at_risk, curve, entered)

    def before(self, times: Float[np.ndarray, " time"]) -> Float[np.ndarray, " time"]:
        """G(t-), times H(t-) up to a factor, at times of these patients."""
        return (
            step(self.time, self.uncensored, times, before=1.0, left=True)
            * (self.entered[np.searchsorted(self.time, times)])
        )


def _entered(sets: RiskSets) -> Float[np.ndarray, " moment"]:
    """H before each moment, up to a factor: how those at risk have grown by entries so far."""
    left = sets.at_risk - sets.events - sets.censored
    grown = np.divide(sets.at_risk[1:], left[:-1], out=np.ones(len(left) - 1), where=left[:-1] > 0)
    return np.append(1.0, grown).cumprod()


def censoring_curves(
    time: Float[np.ndarray, " patient"],
    event: Int[np.ndarray, " patient"],
    code: Int[np.ndarray, " patient"],
    ties: Ties,
    entry: Float[np.ndarray, " patient"] | None,
) -> list[Censoring]:
    """The curve of each stratum, in order of its code."""
    strata = [code == one for one in range(int(code.max()) + 1)]
    return [
        Censoring.of(time[rows], event[rows], ties, None if entry is None else entry[rows])
        for rows in strata
    ]


def subdistribution(
    time: Float[np.ndarray, " patient"],
    event: Int[np.ndarray, " patient"],
    code: Int[np.ndarray, " patient"],
    cause: int,
    ties: Ties,
    entry: Float[np.ndarray, " patient"] | None,
    curves: Sequence[Censoring],
) -> Exposure:
    """Who is at risk; those who had a competing event linger, weighing G(t-)/G(T-).

    Rows are in order of stratum, then time.
    """
    sets = exposure(time, event == cause, entry=entry, strata=code, ties=ties)
    competing = (event > 0) & (event != cause)
    share, level = np.zeros(len(time)), np.zeros(len(sets.time))
    for one, curve in enumerate(curves):
        stays, moments = (code == one) & competing, sets.stratum == one
        share[stays] = 1 / curve.before(time[stays])
        level[moments] = curve.before(sets.time[moments])
    start, end = (
        np.searchsorted(sets.stratum, sets.stratum),
        np.searchsorted(sets.stratum, code, side="right"),
    )
    return replace(sets, lingering=Lingering(sets.last, share, level, start, end))


def _through_censoring(
    scaled: Float[np.ndarray, "patient feature"],
    time: Float[np.ndarray, " patient"],
    event: Int[np.ndarray, " patient"],
    sets: Exposure,
    fitted: Partial,
    censoring: Censoring,
    inside: tuple[Bool[np.ndarray, " patient"], Bool[np.ndarray, " moment"]],
) -> Float[np.ndarray, "inside feature"]:
    """The part of each patient of a stratum in the score through its estimated weights.

    A censoring at u lowers G(t-)/G(T-) of all who have had a competing event before u, at all later
    events t: by q(u) / Y(u), where q(u) sums their weighted distance from the mean of risk sets.

    Source: Fine & Gray 1999, psi below eq. 8.
    """
    lingering = sets.lingering
    assert lingering is not None  # noqa: S101
    rows, here = inside
    own = time[rows]
    weight = (fitted.relative * lingering.share)[rows, None]
    zero = np.zeros((1, scaled.shape[1] + 1))
    gone = np.concatenate([zero, _with_one(scaled[rows], weight).cumsum(0)])
    earlier = gone[np.searchsorted(own, censoring.time, side="left")]
    share = lingering.level[:, None] * sets.by_moment(
        _with_one(fitted.means, 1 / fitted.denominator[:, None])
    )
    ahead = np.concatenate([share[here][::-1].cumsum(axis=0)[::-1], zero])
    later = ahead[np.searchsorted(sets.time[here], censoring.time, side="left")]
    distance = earlier[:, :-1] * later[:, -1:] - earlier[:, -1:] * later[:, :-1]
    at_risk = np.maximum(censoring.at_risk, 1.0)[:, None]
    part = distance / at_risk
    running = (part * censoring.censored[:, None] / at_risk).cumsum(axis=0)
    place = np.searchsorted(censoring.time, own)
    return np.where((event[rows] == 0)[:, None], part[place], 0.0) - running[place]


def _with_one(
    values: Float[np.ndarray, "any feature"], weight: Float[np.ndarray, "any 1"]
) -> Float[np.ndarray, "any more"]:
    """Weighted values, and the weights as last column."""
    return np.concatenate([weight * values, weight], axis=1)
