"""How good predictions are on validation patients, and whether these patients can say so."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from sequela.errors import DataError, UndefinedMetricError
from sequela.evaluation.discrimination import auc
from sequela.evaluation.threshold import youden
from sequela.survival.concordance import concordance
from sequela.survival.followup import Followup


@dataclass(frozen=True)
class Target:
    """What is predicted.

    Attributes:
        cause: The event; others compete.
        horizon: Days after the landmark by which it happens, None for ever.
    """

    cause: int = 1
    horizon: float | None = None

    def happened(self, followup: Followup) -> Bool[np.ndarray, " patient"]:
        """True where the event was seen in time."""
        by_then = followup.time <= (np.inf if self.horizon is None else self.horizon)
        happened: Bool[np.ndarray, " patient"] = (followup.event == self.cause) & by_then
        return happened

    def known(self, followup: Followup) -> Bool[np.ndarray, " patient"]:
        """True unless the patient left before it could be told."""
        if self.horizon is None:
            return np.ones(len(followup), dtype=bool)
        return (followup.time > self.horizon) | (followup.event > 0)


def require_both(followup: Followup, target: Target, part: str) -> None:
    """Refuse patients from whom nothing can be learnt, or by whom nothing can be judged.

    Args:
        followup: Of the patients of one part.
        target: What is predicted.
        part: Its name, as in `training patients of fold 2`.

    Raises:
        DataError: If none of them has the event in time, or none is known to be without it.
    """
    happened = target.happened(followup)
    without = target.known(followup) & ~happened
    if happened.any() and without.any():
        return
    by = "" if target.horizon is None else f" within {target.horizon:g} days"
    raise DataError(
        f"{part}: {happened.sum()} case(s) with event {target.cause}{by} and {without.sum()} "
        f"without, of {len(followup)}; both kinds are needed",
        hint="use fewer folds, a larger split.validation, another split.seed or a longer "
        "protocol.horizon, and prepare in another work folder",
    )


def judged(
    risk: Float[np.ndarray, " patient"], followup: Followup, target: Target
) -> dict[str, float]:
    """AUC and Youden's threshold of patients whose status is known; Harrell's C, median risk.

    What does not exist for these patients is left out.
    """
    known = target.known(followup)
    happened = target.happened(followup)
    measures: dict[str, Callable[[], float]] = {
        "median_risk": lambda: float(np.median(risk)),
        "auc": lambda: auc(risk[known], happened[known]),
        "threshold": lambda: _threshold(risk[known], happened[known]),
        "concordance": lambda: _concordance(risk, followup, target),
    }
    values = {}
    for name, measure in measures.items():
        with suppress(UndefinedMetricError):
            values[name] = measure()
    return values


def _concordance(risk: Float[np.ndarray, " patient"], followup: Followup, target: Target) -> float:
    event = followup.event == target.cause
    found = concordance(followup.time, event, risk, horizon=target.horizon, influence=False)
    return found.value


def _threshold(
    risk: Float[np.ndarray, " patient"], happened: Bool[np.ndarray, " patient"]
) -> float:
    return youden(risk, happened.astype(float), (~happened).astype(float))
