"""The normal and chi-squared distributions; scipy.stats would take seconds to import."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from scipy.special import chdtrc, ndtr, ndtri


def two_sided_width(level: float) -> float:
    """How many standard errors an interval of `level` reaches to either side."""
    return float(ndtri(0.5 + level / 2))


def two_sided_p(z: float) -> float:
    """The chance of a standard normal at least as far from zero as `z`."""
    return float(2 * ndtr(-abs(z)))


def two_sided_ps(z: Float[np.ndarray, " test"]) -> Float[np.ndarray, " test"]:
    """`two_sided_p` of each."""
    return 2 * ndtr(-np.abs(z))


def chi_squared_p(statistic: float, freedom: int) -> float:
    """The chance of a chi-squared of `freedom` degrees at least as large as `statistic`."""
    return float(chdtrc(freedom, statistic))
