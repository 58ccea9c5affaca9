"""Intervals from resampling patients, and corrections for many tests."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Literal

import numpy as np
from jaxtyping import Float, Int

from sequela.errors import UndefinedMetricError
from sequela.evaluation.bca import bca_limits
from sequela.evaluation.estimate import Estimate
from sequela.evaluation.outcome import Question
from sequela.evaluation.rows import Rows
from sequela.evaluation.settings import EvaluationSettings

_CELLS = 2_000_000  # of one block of resamples, 16 MB
_KEPT_CELLS = 16_000_000  # blocks kept for the next metric and the next model


@dataclass(frozen=True)
class Resampling:
    """How patients are drawn again: how often, from which seed, at which level."""

    count: int
    seed: int
    level: float
    interval: Literal["percentile", "bca"] = "percentile"

    @classmethod
    def asked(cls, settings: EvaluationSettings) -> Resampling:
        """What the settings ask for."""
        return cls(settings.bootstraps, settings.seed, settings.level, settings.interval)


@dataclass(frozen=True)
class Draw:
    """How often each row of one run counts in some resamples, and what it then weighs."""

    rows: Rows
    counts: Float[np.ndarray, "row resample"]
    _weights: dict[Question, Float[np.ndarray, "row resample"]] = field(default_factory=dict)

    def weights(self, question: Question) -> Float[np.ndarray, "row resample"]:
        """`Question.weights`, computed once: they depend on the outcomes, not on the model."""
        if question not in self._weights:
            self._weights[question] = question.weights(self.rows, self.counts)
        return self._weights[question]


Measure = Callable[[Rows, Draw], Float[np.ndarray, " resample"]]
"""A number for each resample of one run's rows, NaN where it is undefined."""


@dataclass(frozen=True)
class Resampler:
    """Resamples of patients, shared by all metrics and models that see the same outcomes."""

    resampling: Resampling
    _kept: dict[bytes, list[tuple[Draw, ...]]] = field(default_factory=dict)

    def blocks(self, rows: Rows) -> Iterator[tuple[Draw, ...]]:
        """The rows as they are, then block after block of resamples; one draw a run in each."""
        if len(rows) * self.resampling.count > _KEPT_CELLS:
            yield from self._drawn(rows)
            return
        key = _outcome_key(rows)
        if key not in self._kept:
            self._kept.clear()
            self._kept[key] = list(self._drawn(rows))
        yield from self._kept[key]

    def left_out(self, rows: Rows) -> Iterator[tuple[Draw, ...]]:
        """The rows without each patient in turn, block by block."""
        yield from _by_run(rows, _without_each(rows.patient))

    def _drawn(self, rows: Rows) -> Iterator[tuple[Draw, ...]]:
        as_they_are = np.ones((len(rows), 1))
        drawn = multiplicities(rows.patient, self.resampling)
        yield from _by_run(rows, chain([as_they_are], drawn))


def _by_run(
    rows: Rows, blocks: Iterable[Float[np.ndarray, "row resample"]]
) -> Iterator[tuple[Draw, ...]]:
    masks = rows.run_masks
    parts = [rows.take(mask) for mask in masks]
    for counts in blocks:
        yield tuple(Draw(part, counts[mask]) for part, mask in zip(parts, masks, strict=True))


def _without_each(
    patient: Int[np.ndarray, " row"],
) -> Iterator[Float[np.ndarray, "row resample"]]:
    patients, place = np.unique(patient, return_inverse=True)
    block = max(1, _CELLS // max(len(patient), 1))
    for start in range(0, len(patients), block):
        gone = np.arange(start, min(start + block, len(patients)))
        yield (place[:, None] != gone).astype(float)


def _outcome_key(rows: Rows) -> bytes:
    digest = hashlib.sha256()
    for array in (rows.patient, rows.run, rows.number, rows.time, rows.event):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.digest()


def multiplicities(
    patient: Int[np.ndarray, " row"], resampling: Resampling
) -> Iterator[Float[np.ndarray, "row resample"]]:
    """How often each row counts in each resample of whole patients, block by block.

    The draws depend on the number of patients and the seed alone, so models that predict the same
    patients are resampled alike.
    """
    patients, place = np.unique(patient, return_inverse=True)
    alone = len(patients) == len(place) and (np.diff(place) == 1).all()
    generator = np.random.default_rng(resampling.seed)
    block = max(1, _CELLS // max(len(patient), 1))
    for start in range(0, resampling.count, block):
        size = min(block, resampling.count - start)
        drawn = generator.integers(len(patients), size=(size, len(patients)))
        cells = drawn + len(patients) * np.arange(size)[:, None]
        counts = np.bincount(cells.ravel(), minlength=size * len(patients))
        across = np.ascontiguousarray(counts.reshape(size, len(patients)).T, dtype=float)
        yield across if alone else across[place]


@dataclass(frozen=True)
class Drawn:
    """An estimate, and what paired comparisons need.

    Attributes:
        estimate: The number with its interval.
        draws: The number in each resample, NaN where undefined; empty where none were drawn.
        influence: What each patient adds to the number, where the interval comes from that.
        runs: The number of each run; empty where it was computed over all runs at once.
    """

    estimate: Estimate
    draws: Float[np.ndarray, " resample"]
    influence: Float[np.ndarray, " patient"] | None = None
    runs: Float[np.ndarray, " run"] = field(default_factory=lambda: np.empty(0))


def measured(rows: Rows, measure: Measure, resampler: Resampler) -> Drawn:
    """A measure computed within each run, averaged over runs, with its interval over patients.

    Raises:
        UndefinedMetricError: If the number does not exist for these rows.

    Source: Efron & Tibshirani 1993, chapter 13; clusters: Field & Welsh 2007.
    """
    parts = [rows.take(mask) for mask in rows.run_masks]

    def over_runs(blocks: Iterable[tuple[Draw, ...]]) -> list[Float[np.ndarray, "run resample"]]:
        return [
            np.stack([measure(part, draw) for part, draw in zip(parts, draws, strict=True)])
            for draws in blocks
        ]

    blocks = over_runs(resampler.blocks(rows))
    runs, resampling = blocks[0][:, 0], resampler.resampling
    value = float(runs.mean())
    draws = np.concatenate([block.mean(axis=0) for block in blocks[1:]] or [np.empty(0)])
    if not np.isfinite(value):
        raise UndefinedMetricError("the number does not exist for these patients")
    estimate = summarised(value, draws, resampling)
    if resampling.interval == "bca" and estimate.low is not None:
        left_out = np.concatenate(
            [block.mean(axis=0) for block in over_runs(resampler.left_out(rows))]
        )
        estimate = _corrected(estimate, draws[np.isfinite(draws)], left_out)
    return Drawn(estimate, draws, runs=runs)


def _corrected(
    estimate: Estimate,
    draws: Float[np.ndarray, " resample"],
    left_out: Float[np.ndarray, " patient"],
) -> Estimate:
    """The estimate with BCa limits; without limits, and why, where there are none."""
    assert estimate.value is not None  # noqa: S101
    assert estimate.level is not None  # noqa: S101
    try:
        low, high = bca_limits(estimate.value, draws, left_out, estimate.level)
    except UndefinedMetricError as error:
        reason = f"no BCa interval: {error.message}"
        return replace(estimate, low=None, high=None, level=None, method="", reason=reason)
    return replace(estimate, low=low, high=high, method="patient bootstrap, BCa")


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
