"""The hazard that event times are drawn from, and the risk that follows from it.

Recurrence (cause 1) has hazard a₁ k t^(k-1) exp(η) and death without recurrence (cause 2) has
a₂ k t^(k-1), with t in days and η the patient's linear predictor. Because the shape k is shared,
the cause does not depend on the time, and the risk of recurrence has a closed form.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sequela.simulation.settings import YEAR, HazardSettings, Signals


@dataclass(frozen=True)
class Latents:
    """What drives a patient's hazard: standard normal, or +1 and -1 with equal chance.

    Attributes:
        image: Log size of the mass at the index date.
        text: +1 with lymphovascular invasion, -1 without.
        moderator: +1 where radiotherapy was omitted, -1 where given.
        shared: Density of the breast.
        change: Growth of the mass.
        clinical: The standardised sum of the clinical covariates.
    """

    image: float
    text: float
    moderator: float
    shared: float
    change: float
    clinical: float


def log_hazard_terms(latents: Latents, signals: Signals) -> dict[str, float]:
    """What each signal adds to a patient's linear predictor."""
    return {
        "image": signals.image * latents.image,
        "text": signals.text * latents.text,
        "shared": signals.shared * latents.shared,
        "interaction": signals.interaction * latents.image * latents.moderator,
        "change": signals.change * latents.change,
        "clinical": signals.clinical * latents.clinical,
    }


def recurrence_rate(linear_predictor: float, hazard: HazardSettings) -> float:
    """a₁ exp(η): the factor of t^k in the cumulative hazard of recurrence."""
    return _rate(hazard.five_year_recurrence, hazard.shape) * float(np.exp(linear_predictor))


def death_rate(hazard: HazardSettings) -> float:
    """a₂: the factor of t^k in the cumulative hazard of death without recurrence."""
    return _rate(hazard.five_year_death, hazard.shape)


def _rate(five_year_risk: float, shape: float) -> float:
    return float(-np.log1p(-five_year_risk) / (5 * YEAR) ** shape)


def draw_event(
    generator: np.random.Generator, linear_predictor: float, hazard: HazardSettings
) -> tuple[float, int]:
    """The day and the cause (1 recurrence, 2 death) of a patient's first event."""
    recurrence, death = recurrence_rate(linear_predictor, hazard), death_rate(hazard)
    total = recurrence + death
    time = (generator.standard_exponential() / total) ** (1 / hazard.shape)
    return float(time), 1 if generator.random() < recurrence / total else 2


def draw_censoring(generator: np.random.Generator, hazard: HazardSettings) -> float:
    """The day on which follow-up ends, by loss or by the end of the study."""
    end = hazard.study_years - generator.random() * hazard.accrual_years
    exponential = generator.standard_exponential()
    lost = exponential / hazard.lost_per_year if hazard.lost_per_year else np.inf
    return float(min(end, lost) * YEAR)


def recurrence_risk(
    linear_predictor: float, landmark: float, horizon: float, hazard: HazardSettings
) -> float:
    """P(recurrence in (s, s + horizon] | no event by s), death competing.

    With A = a₁ exp(η) + a₂ it is a₁ exp(η)/A · (1 - exp(-A ((s + horizon)^k - s^k))).

    Args:
        linear_predictor: η.
        landmark: s, in days from the index date.
        horizon: Days.
        hazard: The shape k and the rates.
    """
    recurrence, death = recurrence_rate(linear_predictor, hazard), death_rate(hazard)
    exposure = (landmark + horizon) ** hazard.shape - landmark**hazard.shape
    total = recurrence + death
    return float(recurrence / total * -np.expm1(-total * exposure))
