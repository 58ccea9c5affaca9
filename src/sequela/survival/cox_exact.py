"""Cox's model of truly discrete times: the exact treatment of tied events."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from sequela.errors import UndefinedMetricError
from sequela.survival.cox import checked_scale, inverse
from sequela.survival.wald import Wald

_STEPS = 30


@dataclass(frozen=True)
class ExactCox(Wald):
    """A fitted discrete model.

    Attributes:
        coefficients: Log odds ratios.
        variance: The inverse information.
        log_likelihood: Conditional, at the coefficients.
        null_log_likelihood: At zero.
    """

    coefficients: Float[np.ndarray, " feature"]
    variance: Float[np.ndarray, "feature feature"]
    log_likelihood: float
    null_log_likelihood: float


def fit_exact_cox(
    covariates: Float[np.ndarray, "patient feature"],
    time: Float[np.ndarray, " patient"],
    event: Bool[np.ndarray, " patient"],
) -> ExactCox:
    """Fit the conditional logistic likelihood of who, of those at risk, had the tied events.

    For times that were recorded in whole visits or years. At each time it sums over all ways of
    choosing the tied events from those at risk, which costs their product: meant for some
    thousand patients, where `fit_cox` takes any number.

    Args:
        covariates: One column a covariate, complete.
        time: Days to event or last contact.
        event: True where the event was observed.

    Raises:
        UndefinedMetricError: As `fit_cox`.

    Source: Cox 1972, section 6; Gail, Lubin & Rubinstein 1981, eq. 2; R coxph(ties = "exact").
    """
    scale = checked_scale(covariates, event)
    scaled = (covariates - covariates.mean(axis=0)) / scale
    coefficients = np.zeros(len(scale))
    null = here = _Likelihood.at(coefficients, scaled, time, event)
    for _ in range(_STEPS):
        stride = inverse(here.information) @ here.gradient
        stride = stride * min(1.0, 3.0 / max(float(np.abs(stride).max()), 1e-300))
        there = _Likelihood.at(coefficients + stride, scaled, time, event)
        while there.value < here.value - 1e-9:
            stride = stride / 2
            there = _Likelihood.at(coefficients + stride, scaled, time, event)
        coefficients, here = coefficients + stride, there
        if np.abs(stride).max() <= 1e-11 * (1 + np.abs(coefficients).max()):
            variance = inverse(here.information) / np.outer(scale, scale)
            return ExactCox(coefficients / scale, variance, here.value, null.value)
    raise UndefinedMetricError(
        "the exact Cox model does not converge: a covariate separates those with the event",
        hint="leave that covariate out or merge its groups",
    )


@dataclass(frozen=True)
class _Likelihood:
    value: float
    gradient: Float[np.ndarray, " feature"]
    information: Float[np.ndarray, "feature feature"]

    @classmethod
    def at(
        cls,
        coefficients: Float[np.ndarray, " feature"],
        covariates: Float[np.ndarray, "patient feature"],
        time: Float[np.ndarray, " patient"],
        event: Bool[np.ndarray, " patient"],
    ) -> _Likelihood:
        predictor = covariates @ coefficients
        value, width = float(predictor[event].sum()), len(coefficients)
        gradient, information = covariates[event].sum(axis=0), np.zeros((width, width))
        for moment in np.unique(time[event]):
            at_risk = time >= moment
            tied = int((event & (time == moment)).sum())
            part = _of_choices(predictor[at_risk], covariates[at_risk], tied)
            value, gradient = value - part.value, gradient - part.gradient
            information = information + part.information
        return cls(value, gradient, information)


def _of_choices(
    predictor: Float[np.ndarray, " patient"],
    covariates: Float[np.ndarray, "patient feature"],
    tied: int,
) -> _Likelihood:
    """The logarithm of the sum over choices of `tied` patients, with its derivatives."""
    shift = float(predictor.max())
    width = covariates.shape[1]
    sums = np.zeros(tied + 1)
    first, second = np.zeros((tied + 1, width)), np.zeros((tied + 1, width, width))
    sums[0], scale = 1.0, 0.0
    for odds, x in zip(np.exp(predictor - shift).tolist(), covariates, strict=True):
        outer = np.outer(x, x)
        cross = first[:-1, :, None] * x
        second[1:] += odds * (
            second[:-1] + cross + cross.swapaxes(1, 2) + sums[:-1, None, None] * outer
        )
        first[1:] += odds * (first[:-1] + sums[:-1, None] * x)
        sums[1:] += odds * sums[:-1]
        if sums.max() > 1e100:
            sums, first, second = sums / 1e100, first / 1e100, second / 1e100
            scale += np.log(1e100)
    mean = first[tied] / sums[tied]
    spread = second[tied] / sums[tied] - np.outer(mean, mean)
    return _Likelihood(float(np.log(sums[tied])) + scale + tied * shift, mean, spread)
