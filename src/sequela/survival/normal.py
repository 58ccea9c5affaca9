"""The normal and chi-squared distributions, without scipy, which takes a second to import."""

from __future__ import annotations

from math import erfc, exp, gamma, sqrt
from statistics import NormalDist

import numpy as np
from jaxtyping import Float


def two_sided_width(level: float) -> float:
    """How many standard errors an interval of `level` reaches to either side."""
    return NormalDist().inv_cdf(0.5 + level / 2)


def two_sided_p(z: float) -> float:
    """The chance of a standard normal at least as far from zero as `z`."""
    return erfc(abs(z) / sqrt(2))


def two_sided_ps(z: Float[np.ndarray, " test"]) -> Float[np.ndarray, " test"]:
    """`two_sided_p` of each."""
    return np.array([two_sided_p(one) for one in z.tolist()])


def chi_squared_p(statistic: float, freedom: int) -> float:
    """The chance of a chi-squared of `freedom` degrees at least as large as `statistic`.

    Source: Abramowitz & Stegun 1964, 26.4.4 and 26.4.5.
    """
    half = max(statistic, 0.0) / 2
    odd = freedom % 2
    start = erfc(sqrt(half)) if odd else 0.0
    powers = (power + odd / 2 for power in range((freedom - odd) // 2))
    return min(1.0, start + exp(-half) * sum(half**power / gamma(power + 1) for power in powers))
