"""How strong a ridge penalty of Cox's model is, chosen within the patients that it is fitted to."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int

from sequela.survival.cox import fit_cox
from sequela.survival.cox_likelihood import exposure, partial_likelihood

RIDGES = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)
_PARTS = 5


def chosen_ridge(
    covariates: Float[np.ndarray, "patient feature"],
    time: Float[np.ndarray, " patient"],
    event: Bool[np.ndarray, " patient"],
    *,
    entry: Float[np.ndarray, " patient"] | None = None,
    ridges: Sequence[float] = RIDGES,
) -> float:
    """The penalty of the largest cross-validated partial likelihood; of equals the strongest.

    Each of five parts of the patients, alike in events and times, is left out once; what it adds
    to the log-likelihood of all, at coefficients that never saw it, is summed. No other patient
    and no random number has a say.

    Args:
        covariates: One column a covariate, complete.
        time: Days to event or last contact.
        event: True where the event was observed.
        entry: Days at which observation began, for delayed entry.
        ridges: Penalties to choose among, as `fit_cox` takes them.

    Raises:
        UndefinedMetricError: If a part holds all events.

    Source: Verweij & van Houwelingen 1993, equation 3.
    """
    part = _parts(time, event)
    gains = [
        sum(_gain(covariates, time, event, entry, part != left, ridge) for left in range(_PARTS))
        for ridge in ridges
    ]
    best = max(gains)
    return max(ridge for ridge, gain in zip(ridges, gains, strict=True) if gain >= best - 1e-9)


def _parts(
    time: Float[np.ndarray, " patient"], event: Bool[np.ndarray, " patient"]
) -> Int[np.ndarray, " patient"]:
    part = np.empty(len(time), dtype=np.int64)
    part[np.lexsort((time, event))] = np.arange(len(time)) % _PARTS
    return part


def _gain(
    covariates: Float[np.ndarray, "patient feature"],
    time: Float[np.ndarray, " patient"],
    event: Bool[np.ndarray, " patient"],
    entry: Float[np.ndarray, " patient"] | None,
    kept: Bool[np.ndarray, " patient"],
    ridge: float,
) -> float:
    """What the patients left out add to the log-likelihood at coefficients fitted without them."""
    seen = None if entry is None else entry[kept]
    varying = np.ptp(covariates[kept], axis=0) > 0
    of_use = covariates[:, varying]
    fitted = fit_cox(of_use[kept], time[kept], event[kept], entry=seen, ridge=ridge)
    centred = of_use - fitted.centre
    sets = exposure(time, event, entry=entry, strata=None, ties="efron")
    every = partial_likelihood(centred, fitted.coefficients, sets).log_likelihood
    return every - fitted.log_likelihood
