"""Cox's proportional hazards model: coefficients, tests, and survival of new patients."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from sequela.errors import UndefinedMetricError
from sequela.survival.cox_likelihood import (
    Exposure,
    Partial,
    Ties,
    exposure,
    partial_likelihood,
    score_residuals,
)
from sequela.survival.normal import chi_squared_p
from sequela.survival.risk_sets import step
from sequela.survival.wald import Wald

_MAX_STEPS = 40
_HALVINGS = 30


@dataclass(frozen=True)
class ChiSquared:
    """A chi-squared statistic with its degrees of freedom and p."""

    statistic: float
    freedom: int
    p: float


def chi_squared_test(statistic: float, freedom: int) -> ChiSquared:
    """The test that refers `statistic` to the chi-squared distribution."""
    return ChiSquared(statistic, freedom, chi_squared_p(statistic, freedom))


@dataclass(frozen=True)
class Cox(Wald):
    """A fitted Cox model.

    Attributes:
        coefficients: Log hazard ratios.
        variance: Of the coefficients; the robust sandwich where clusters were given.
        naive_variance: The inverse information.
        log_likelihood: At the coefficients.
        null_log_likelihood: At zero.
        score: Rao's test, its statistic the one that R prints.
        centre: Covariate means, at which the baseline hazard stands.
        baseline_time: Event times, stratum after stratum.
        baseline_hazard: Cumulative baseline hazard at those times.
        baseline_stratum: The stratum of each of them.
        patients: How many were fitted.
        events: How many of them had the event.
    """

    coefficients: Float[np.ndarray, " feature"]
    variance: Float[np.ndarray, "feature feature"]
    naive_variance: Float[np.ndarray, "feature feature"]
    log_likelihood: float
    null_log_likelihood: float
    score: ChiSquared
    centre: Float[np.ndarray, " feature"]
    baseline_time: Float[np.ndarray, " moment"]
    baseline_hazard: Float[np.ndarray, " moment"]
    baseline_stratum: Int[np.ndarray, " moment"]
    patients: int
    events: int

    @property
    def wald(self) -> ChiSquared:
        """Wald's test of all coefficients together."""
        z = self.coefficients / self.standard_error
        correlation = self.variance / np.outer(self.standard_error, self.standard_error)
        statistic = z @ np.linalg.pinv(correlation, hermitian=True) @ z
        return chi_squared_test(float(statistic), len(self.coefficients))

    @property
    def likelihood_ratio(self) -> ChiSquared:
        """The likelihood-ratio test of all coefficients together."""
        gain = 2 * (self.log_likelihood - self.null_log_likelihood)
        return chi_squared_test(gain, len(self.coefficients))

    def predictor(
        self, covariates: Float[np.ndarray, "patient feature"]
    ) -> Float[np.ndarray, " patient"]:
        """Log relative hazard, 0 at the mean of the training patients."""
        return (covariates - self.centre) @ self.coefficients

    def survival(
        self,
        covariates: Float[np.ndarray, "patient feature"],
        times: Float[np.ndarray, " time"],
        *,
        stratum: int = 0,
    ) -> Float[np.ndarray, "patient time"]:
        """Probability of being free of the event at `times`, from the baseline of `stratum`."""
        rows = self.baseline_stratum == stratum
        hazard = step(self.baseline_time[rows], self.baseline_hazard[rows], times, before=0.0)
        return np.exp(-np.exp(self.predictor(covariates))[:, None] * hazard)


def fit_cox(
    covariates: Float[np.ndarray, "patient feature"],
    time: Float[np.ndarray, " patient"],
    event: Bool[np.ndarray, " patient"],
    *,
    entry: Float[np.ndarray, " patient"] | None = None,
    strata: Int[np.ndarray, " patient"] | None = None,
    cluster: Int[np.ndarray, " patient"] | None = None,
    ties: Ties = "efron",
    ridge: float | Float[np.ndarray, " feature"] = 0.0,
) -> Cox:
    """Fit Cox's model by Newton's method.

    Args:
        covariates: One column a covariate, complete.
        time: Days to event or last contact.
        event: True where the event was observed.
        entry: Days at which observation began, for delayed entry.
        strata: Each with its own baseline hazard.
        cluster: Which rows belong to one patient; makes the variance robust.
        ties: How tied events are handled.
        ridge: Penalty on the squared coefficients of the covariates in standard deviations; one
            for all, or one for each.

    Raises:
        UndefinedMetricError: If there is no event, a covariate is constant or a combination of
            others, or a covariate separates the events so that its coefficient is infinite.

    Source: Cox 1972; Therneau & Grambsch 2000; conventions of R survival::coxph.
    """
    # In order of time every risk set is a stretch of memory: twice as fast, the same numbers.
    order = np.lexsort((time, np.zeros(len(time)) if strata is None else strata))
    covariates, time, event = covariates[order], time[order], event[order]
    entry, strata, cluster = (
        None if values is None else values[order] for values in (entry, strata, cluster)
    )
    scale = checked_scale(covariates, event)
    centre = covariates.mean(axis=0)
    scaled = (covariates - centre) / scale
    sets = exposure(time, event, entry=entry, strata=strata, ties=ties)
    null = partial_likelihood(scaled, np.zeros(len(scale)), sets)
    fitted, coefficients = maximised(scaled, sets, null, ridge)
    bread = inverse(fitted.information + ridge * np.eye(len(scale)))
    naive = bread if not np.any(ridge) else bread @ fitted.information @ bread
    variance = naive if cluster is None else _sandwich(scaled, sets, fitted, bread, cluster)
    unscale = np.outer(1 / scale, 1 / scale)
    score = null.gradient @ np.linalg.pinv(null.information, hermitian=True) @ null.gradient
    return Cox(
        coefficients=coefficients / scale,
        variance=variance * unscale,
        naive_variance=naive * unscale,
        log_likelihood=fitted.log_likelihood,
        null_log_likelihood=null.log_likelihood,
        score=chi_squared_test(float(score), len(scale)),
        centre=centre,
        baseline_time=sets.time,
        baseline_hazard=baseline_hazard_of(sets, fitted),
        baseline_stratum=sets.stratum,
        patients=len(time),
        events=int(event.sum()),
    )


def checked_scale(
    covariates: Float[np.ndarray, "patient feature"], event: Bool[np.ndarray, " patient"]
) -> Float[np.ndarray, " feature"]:
    """Standard deviations of covariates that a model can be fitted to; else the reason why not."""
    if not event.any():
        raise UndefinedMetricError("a Cox model needs patients with the event, found none")
    scale: Float[np.ndarray, " feature"] = covariates.std(axis=0)
    constant = np.flatnonzero(scale <= 1e-12 * np.abs(covariates).max(axis=0))
    if len(constant):
        raise UndefinedMetricError(
            f"covariate(s) {', '.join(map(str, constant))} of a Cox model do not vary",
            hint="leave them out",
        )
    return scale


def maximised(
    scaled: Float[np.ndarray, "patient feature"],
    sets: Exposure,
    null: Partial,
    ridge: float | Float[np.ndarray, " feature"],
) -> tuple[Partial, Float[np.ndarray, " feature"]]:
    """The partial likelihood at its maximum, from the null on, and the coefficients there."""
    coefficients, here = np.zeros(scaled.shape[1]), null
    penalty = ridge * np.eye(len(coefficients))
    for _ in range(_MAX_STEPS):
        gradient = here.gradient - ridge * coefficients
        towards = _solved(here.information + penalty, gradient, penalised=bool(np.all(ridge)))
        here, coefficients, moved = _halved(scaled, sets, here, coefficients, towards, ridge)
        if moved <= 1e-11 * (1 + np.abs(coefficients).max()):
            return here, coefficients
    raise UndefinedMetricError(
        "the Cox model does not converge: a covariate separates those with the event from the rest",
        hint="leave that covariate out, merge its groups, or set a ridge penalty",
    )


def _solved(
    information: Float[np.ndarray, "feature feature"],
    gradient: Float[np.ndarray, " feature"],
    *,
    penalised: bool,
) -> Float[np.ndarray, " feature"]:
    """Newton's step; a penalty on all makes it exist, so that nothing need be looked for."""
    if penalised:
        return np.linalg.solve(information, gradient)
    return inverse(information) @ gradient


def _halved(
    scaled: Float[np.ndarray, "patient feature"],
    sets: Exposure,
    here: Partial,
    coefficients: Float[np.ndarray, " feature"],
    towards: Float[np.ndarray, " feature"],
    ridge: float | Float[np.ndarray, " feature"],
) -> tuple[Partial, Float[np.ndarray, " feature"], float]:
    """The longest of the steps 1, 1/2, 1/4 … that does not lower the likelihood."""

    def value(partial: Partial, at: Float[np.ndarray, " feature"]) -> float:
        return partial.log_likelihood - float((ridge * at**2).sum()) / 2

    floor = value(here, coefficients) - 1e-9
    for halving in range(_HALVINGS):
        stride = towards * 0.5**halving
        there = partial_likelihood(scaled, coefficients + stride, sets)
        if value(there, coefficients + stride) >= floor:
            return there, coefficients + stride, float(np.abs(stride).max())
    return here, coefficients, 0.0


def inverse(
    information: Float[np.ndarray, "feature feature"],
) -> Float[np.ndarray, "feature feature"]:
    """The inverse of an information matrix, where there is one."""
    values, vectors = np.linalg.eigh(information)
    if values[0] <= 1e-13 * max(values[-1], 1e-300):
        raise UndefinedMetricError(
            "the Cox model has no single solution: a covariate is a combination of others or "
            "separates those with the event from the rest",
            hint="leave that covariate out, or set a ridge penalty",
        )
    return (vectors / values) @ vectors.T


def _sandwich(
    scaled: Float[np.ndarray, "patient feature"],
    sets: Exposure,
    fitted: Partial,
    bread: Float[np.ndarray, "feature feature"],
    cluster: Int[np.ndarray, " patient"],
) -> Float[np.ndarray, "feature feature"]:
    """Lin & Wei 1989: score residuals summed over each cluster."""
    place = np.unique(cluster, return_inverse=True)[1]
    sums = np.zeros((place.max() + 1, scaled.shape[1]))
    np.add.at(sums, place, score_residuals(scaled, sets, fitted))
    influence = sums @ bread
    variance: Float[np.ndarray, "feature feature"] = influence.T @ influence
    return variance


def baseline_hazard_of(sets: Exposure, fitted: Partial) -> Float[np.ndarray, " moment"]:
    """Cumulative baseline hazard at the covariate means, started anew in each stratum."""
    increments = sets.by_moment(1 / fitted.denominator) * np.exp(-fitted.shift)
    total = increments.cumsum()
    starts = np.flatnonzero(np.diff(sets.stratum, prepend=-1))
    before = np.append(0.0, total)[starts]
    return total - before[np.searchsorted(starts, np.arange(len(total)), side="right") - 1]
