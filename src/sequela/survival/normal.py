"""The normal, chi-squared and t distributions, without scipy, which takes a second to import."""

from __future__ import annotations

from math import atan, cos, erfc, exp, lgamma, log, pi, sin, sqrt
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
    if statistic <= 0:
        return 1.0
    half, odd = statistic / 2, freedom % 2
    start = erfc(sqrt(half)) if odd else 0.0
    powers = (power + odd / 2 for power in range((freedom - odd) // 2))
    # By logarithms: half**power alone leaves the range of numbers from about 150 degrees on.
    terms = (exp(power * log(half) - half - lgamma(power + 1)) for power in powers)
    return min(1.0, start + sum(terms))


def student_p(t: float, freedom: int) -> float:
    """The chance of Student's t of `freedom` degrees at least as far from zero as `t`.

    Source: Abramowitz & Stegun 1964, 26.7.3 and 26.7.4.
    """
    angle = atan(abs(t) / sqrt(freedom))
    odd = freedom % 2
    term = cos(angle) if odd else 1.0
    total = 0.0
    for power in range(1 + odd, freedom, 2):
        total += term
        term *= cos(angle) ** 2 * power / (power + 1)
    inside = 2 / pi * (angle + sin(angle) * total) if odd else sin(angle) * total
    return max(0.0, 1 - inside)


def student_width(level: float, freedom: int) -> float:
    """How many standard errors an interval of `level` reaches to either side, by Student's t."""
    low, high = 0.0, 1.0
    while student_p(high, freedom) > 1 - level:
        low, high = high, 2 * high
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if student_p(middle, freedom) > 1 - level else (low, middle)
    return (low + high) / 2
