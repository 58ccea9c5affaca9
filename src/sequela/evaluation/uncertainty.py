"""Intervals from resampling patients, and corrections for many tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from sequela.evaluation.estimate import Estimate

_CELLS = 2_000_000  # of one block of resamples, 16 MB


@dataclass(frozen=True)
class Resampling:
    """How patients are drawn again: how often, from which seed, at which level."""

    count: int
    seed: int
    level: float


def multiplicities(
    patient: Int[np.ndarray, " row"], resampling: Resampling
) -> Iterator[Float[np.ndarray, "row resample"]]:
    """How often each row counts in each resample of whole patients, block by block.

    The draws depend on the number of patients and the seed alone, so models that predict the same
    patients are resampled alike.
    """
    patients, place = np.unique(patient, return_inverse=True)
    generator = np.random.default_rng(resampling.seed)
    block = max(1, _CELLS // max(len(patient), 1))
    for start in range(0, resampling.count, block):
        size = min(block, resampling.count - start)
        drawn = generator.integers(len(patients), size=(size, len(patients)))
        cells = drawn + len(patients) * np.arange(size)[:, None]
        counts = np.bincount(cells.ravel(), minlength=size * len(patients))
        yield counts.reshape(size, len(patients)).T[place].astype(float)


def bootstrapped(
    statistic: Callable[[Float[np.ndarray, "row resample"]], Float[np.ndarray, " resample"]],
    patient: Int[np.ndarray, " row"],
    value: float,
    resampling: Resampling,
) -> Estimate:
    """`value` with the percentile interval of a statistic over resampled patients.

    Args:
        statistic: The number for each column of row multiplicities, NaN where it is undefined.
        patient: Which rows belong to one patient.
        value: The number on the patients as they are.
        resampling: How often to draw, and from which seed.

    Source: Efron & Tibshirani 1993, chapter 13; clusters: Field & Welsh 2007.
    """
    blocks = [statistic(counts) for counts in multiplicities(patient, resampling)]
    drawn = np.concatenate(blocks) if blocks else np.empty(0)
    return summarised(value, drawn, resampling)


def summarised(
    value: float, drawn: Float[np.ndarray, " resample"], resampling: Resampling
) -> Estimate:
    """`value` with the percentiles of the resamples that could be used, the others counted."""
    usable = drawn[np.isfinite(drawn)]
    unused = len(drawn) - len(usable)
    if len(usable) < max(2, len(drawn) // 2):
        reason = f"no interval: the number is undefined in {unused} of {len(drawn)} resamples"
        return Estimate(value, resamples=len(drawn), unused=unused, reason=reason)
    tails = [(1 - resampling.level) / 2, (1 + resampling.level) / 2]
    low, high = np.quantile(usable, tails).tolist()
    return Estimate(
        value,
        low,
        high,
        level=resampling.level,
        method="patient bootstrap, percentile",
        resamples=len(drawn),
        unused=unused,
    )


def holm(p: Float[np.ndarray, " test"]) -> Float[np.ndarray, " test"]:
    """p-values corrected for their number, none lower than a smaller one's.

    Source: Holm 1979; R p.adjust(method="holm").
    """
    order = np.argsort(p, kind="stable")
    steps = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    corrected = np.empty(len(p))
    corrected[order] = np.minimum(steps, 1.0)
    return corrected
