"""Whether hazard ratios stay the same over time: the score test on Schoenfeld residuals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, assert_never

import numpy as np
from jaxtyping import Bool, Float, Int

from sequela.errors import UndefinedMetricError
from sequela.survival.cox import ChiSquared, chi_squared_test, fit_cox
from sequela.survival.cox_likelihood import (
    Exposure,
    Partial,
    Ties,
    cumulative_hazard,
    exposure,
    partial_likelihood,
)
from sequela.survival.kaplan_meier import kaplan_meier

TimeScale = Literal["km", "rank", "identity", "log"]


@dataclass(frozen=True)
class ProportionalHazards:
    """Tests that log hazard ratios do not change along a scale of time.

    Attributes:
        each: The test of each covariate.
        together: The test of all covariates at once.
    """

    each: tuple[ChiSquared, ...]
    together: ChiSquared


def proportional_hazards(
    covariates: Float[np.ndarray, "patient feature"],
    time: Float[np.ndarray, " patient"],
    event: Bool[np.ndarray, " patient"],
    *,
    entry: Float[np.ndarray, " patient"] | None = None,
    strata: Int[np.ndarray, " patient"] | None = None,
    ties: Ties = "efron",
    scale: TimeScale = "km",
) -> ProportionalHazards:
    """Test whether the hazards of a Cox model are proportional.

    The model is enlarged by each covariate times g(t), g being the scale of time less its mean over
    events; the score test of the enlargement needs no further fit.

    Args:
        covariates: One column a covariate, complete.
        time: Days to event or last contact.
        event: True where the event was observed.
        entry: Days at which observation began, for delayed entry.
        strata: Each with its own baseline hazard.
        ties: How tied events are handled.
        scale: Along which hazard ratios might change: `km` is one minus Kaplan-Meier just before
            t, `rank` ranks all times, the censored too.

    Raises:
        UndefinedMetricError: If the Cox model has no solution, or all events have one value of the
            scale.

    Source: Grambsch & Therneau 1994; R survival::cox.zph (3.0 and later).
    """
    model = fit_cox(covariates, time, event, entry=entry, strata=strata, ties=ties)
    spread = covariates.std(axis=0)
    scaled = (covariates - model.centre) / spread
    sets = exposure(time, event, entry=entry, strata=strata, ties=ties)
    partial = partial_likelihood(scaled, model.coefficients * spread, sets)
    change = _scale_of_time(time, event, entry, scale)[sets.event]
    change = change - change.mean()
    if np.abs(change).max() <= 1e-12:
        raise UndefinedMetricError(
            "a test of proportional hazards needs events at several times, found one"
        )
    gradient = change @ (scaled[sets.event] - partial.means)
    plain, crossed, squared = (
        _information(scaled, sets, partial, change**power) for power in range(3)
    )
    variance = squared - crossed @ np.linalg.solve(plain, crossed)
    statistic = float(gradient @ np.linalg.solve(variance, gradient))
    alone = gradient**2 / np.diag(variance)
    return ProportionalHazards(
        each=tuple(chi_squared_test(float(one), 1) for one in alone),
        together=chi_squared_test(statistic, len(gradient)),
    )


def _scale_of_time(
    time: Float[np.ndarray, " patient"],
    event: Bool[np.ndarray, " patient"],
    entry: Float[np.ndarray, " patient"] | None,
    scale: TimeScale,
) -> Float[np.ndarray, " patient"]:
    match scale:
        case "km":
            return 1 - kaplan_meier(time, event, entry=entry).at(time, left=True)
        case "rank":
            _, place, counts = np.unique(time, return_inverse=True, return_counts=True)
            return (counts.cumsum() - (counts - 1) / 2)[place]
        case "identity":
            return time
        case "log":
            return np.log(np.where(event, time, 1.0))
        case _:
            assert_never(scale)


def _information(
    covariates: Float[np.ndarray, "patient feature"],
    sets: Exposure,
    partial: Partial,
    weight: Float[np.ndarray, " event"],
) -> Float[np.ndarray, "feature feature"]:
    """The weighted sum over events of the covariance of covariates in the risk set."""
    hazard = partial.relative * cumulative_hazard(sets, partial.denominator, weight)
    squares = (covariates * hazard[:, None]).T @ covariates
    return squares - (partial.means * weight[:, None]).T @ partial.means
