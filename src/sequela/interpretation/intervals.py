"""Intervals for small samples in which several views belong to one patient."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from scipy.stats import norm

from sequela.evaluation.estimate import Estimate, undefined

LEVEL = 0.95
RESAMPLES = 1000
_SEED = 20191


def share(hits: float, of: int, patients: int) -> Estimate:
    """A share with Wilson's interval, in which a patient counts once however many views she has.

    Which errs to the wide side, and has no width of 0 where nothing or everything is a hit.

    Args:
        hits: How many.
        of: Of how many views.
        patients: Of how many patients.

    Source: Wilson 1927.
    """
    if not of or not patients:
        return undefined("no view to look at")
    p, z = hits / of, float(norm.ppf((1 + LEVEL) / 2))
    middle = (p + z**2 / (2 * patients)) / (1 + z**2 / patients)
    spread = np.sqrt(p * (1 - p) / patients + z**2 / (4 * patients**2)) / (1 + z**2 / patients)
    low, high = max(middle - z * spread, 0.0), min(middle + z * spread, 1.0)
    return Estimate(float(p), float(low), float(high), LEVEL, "Wilson, patients")


def ratio(
    above: Float[np.ndarray, " row"], below: Float[np.ndarray, " row"], patient: Sequence[str]
) -> Estimate:
    """The ratio of two sums over rows, with a percentile interval of patients drawn anew.

    Args:
        above: What each row adds to the numerator.
        below: And to the denominator.
        patient: Whose row it is.
    """
    total = float(below.sum())
    if total == 0:
        return undefined("nothing to divide by")
    value = float(above.sum()) / total
    codes = np.unique(np.asarray(patient), return_inverse=True)[1]
    count = int(codes.max()) + 1
    if count < 2:
        return Estimate(value, reason="one patient has no interval")
    sums = np.stack([np.bincount(codes, part, minlength=count) for part in (above, below)])
    draws = np.random.default_rng(_SEED).multinomial(count, np.full(count, 1 / count), RESAMPLES)
    tops, bottoms = sums @ draws.T
    drawn = tops[bottoms != 0] / bottoms[bottoms != 0]
    if np.ptp(drawn) == 0:
        return Estimate(value, reason="no interval: all patients have the same value")
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    unused = int((bottoms == 0).sum())
    return Estimate(value, float(low), float(high), LEVEL, "patient bootstrap", RESAMPLES, unused)


def mean(values: Float[np.ndarray, " row"], patient: Sequence[str]) -> Estimate:
    """The mean over rows, with an interval by patient."""
    return ratio(values, np.ones(len(values)), patient)
