"""Bootstrap limits corrected for bias and for skewness (BCa)."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
from jaxtyping import Float

from sequela.errors import UndefinedMetricError

_NORMAL = NormalDist()


def bca_limits(
    value: float,
    draws: Float[np.ndarray, " resample"],
    left_out: Float[np.ndarray, " patient"],
    level: float,
) -> tuple[float, float]:
    """Limits of a number from its resamples and from leaving out each patient.

    Args:
        value: The number.
        draws: The number in each resample in which it exists.
        left_out: The number without each patient.
        level: Of the interval.

    Raises:
        UndefinedMetricError: If the number does not exist without some patient, or lies outside of
            all resamples, so that its bias cannot be told.

    Source: Efron 1987; Efron & Tibshirani 1993, eq. 14.9, 14.10, 14.14, 14.15.
    """
    if not np.isfinite(left_out).all():
        raise UndefinedMetricError("without some patient the number does not exist")
    below = float((draws < value).mean() + (draws <= value).mean()) / 2
    if not 0 < below < 1:
        raise UndefinedMetricError("the number lies outside of all resamples")
    bias = _NORMAL.inv_cdf(below)
    pull = left_out.mean() - left_out
    squares = float((pull**2).sum())
    acceleration = float((pull**3).sum()) / (6 * squares**1.5) if squares > 0 else 0.0

    def tail(chance: float) -> float:
        z = bias + _NORMAL.inv_cdf(chance)
        return _NORMAL.cdf(bias + z / (1 - acceleration * z))

    tails = [tail((1 - level) / 2), tail((1 + level) / 2)]
    low, high = np.quantile(draws, tails).tolist()
    return low, high
