"""Intervals from resampling patients, and corrections for many tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from sequela.errors import UndefinedMetricError
from sequela.evaluation.estimate import Estimate
from sequela.evaluation.rows import Rows

Measure = Callable[[Rows, Float[np.ndarray, "row resample"]], Float[np.ndarray, " resample"]]
"""A number for each column of row multiplicities, NaN where it is undefined."""

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


@dataclass(frozen=True)
class Drawn:
    """An estimate, and the number in each resample (NaN where undefined) for paired comparisons."""

    estimate: Estimate
    draws: Float[np.ndarray, " resample"]


def measured(rows: Rows, measure: Measure, resampling: Resampling) -> Drawn:
    """A measure computed within each run, averaged over runs, with its interval over patients.

    Raises:
        UndefinedMetricError: If the number does not exist for these rows.

    Source: Efron & Tibshirani 1993, chapter 13; clusters: Field & Welsh 2007.
    """
    masks = rows.run_masks
    parts = [rows.take(mask) for mask in masks]

    def averaged(counts: Float[np.ndarray, "row resample"]) -> Float[np.ndarray, " resample"]:
        runs = [measure(part, counts[mask]) for part, mask in zip(parts, masks, strict=True)]
        return np.mean(runs, axis=0)

    value = float(averaged(np.ones((len(rows), 1)))[0])
    if not np.isfinite(value):
        raise UndefinedMetricError("the number does not exist for these patients")
    blocks = [averaged(counts) for counts in multiplicities(rows.patient, resampling)]
    draws = np.concatenate(blocks) if blocks else np.empty(0)
    return Drawn(summarised(value, draws, resampling), draws)


def summarised(
    value: float, draws: Float[np.ndarray, " resample"], resampling: Resampling
) -> Estimate:
    """`value` with the percentiles of the resamples that could be used, the others counted."""
    usable = draws[np.isfinite(draws)]
    unused = len(draws) - len(usable)
    if len(usable) < max(2, len(draws) / 2):
        reason = f"no interval: the number is undefined in {unused} of {len(draws)} resamples"
        return Estimate(value, resamples=len(draws), unused=unused, reason=reason)
    tails = [(1 - resampling.level) / 2, (1 + resampling.level) / 2]
    low, high = np.quantile(usable, tails).tolist()
    return Estimate(
        value,
        low,
        high,
        level=resampling.level,
        method="patient bootstrap, percentile",
        resamples=len(draws),
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
