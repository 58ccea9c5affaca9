"""How well risk tells patients with the event from patients without."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float

from sequela.errors import UndefinedMetricError
from sequela.evaluation.distribution import survival_at, whole_curves
from sequela.evaluation.estimate import Estimate
from sequela.evaluation.outcome import Question
from sequela.evaluation.rows import Rows
from sequela.evaluation.uncertainty import Draw, Drawn, Measure, Resampler, measured
from sequela.survival.antolini import antolini
from sequela.survival.censoring import censoring_survival
from sequela.survival.concordance import Concordance, TimeWeight, concordance
from sequela.survival.normal import two_sided_width

_MOST_MOMENTS = 64
_LARGEST_KERNEL = 3000  # rows; a kernel of all pairs then takes 72 MB


def auc(risk: Float[np.ndarray, " row"], event: Bool[np.ndarray, " row"]) -> float:
    """The chance that a patient with the event has a higher risk than one without, ties a half.

    Raises:
        UndefinedMetricError: If all patients, or none, have the event.

    Source: Bamber 1975.
    """
    cases = int(event.sum())
    if cases in (0, len(risk)):
        raise UndefinedMetricError(
            f"AUC needs patients with and without the event, got {cases} of {len(risk)} with it"
        )
    case = event.astype(float)[:, None]
    return float(weighted_auc(risk, case, 1 - case)[0])


def weighted_auc(
    risk: Float[np.ndarray, " row"],
    case: Float[np.ndarray, "row resample"],
    control: Float[np.ndarray, "row resample"],
) -> Float[np.ndarray, " resample"]:
    """AUC for each column of weights, NaN where cases or controls weigh nothing; O(n log n).

    Args:
        risk: Higher is worse.
        case: How much each row counts as one with the event.
        control: How much it counts as one without.
    """
    order = np.argsort(risk, kind="stable")
    starts = np.flatnonzero(np.diff(risk[order], prepend=-np.inf))
    cases = np.add.reduceat(case[order], starts, axis=0)
    controls = np.add.reduceat(control[order], starts, axis=0)
    below = controls.cumsum(axis=0) - controls / 2
    pairs = cases.sum(axis=0) * controls.sum(axis=0)
    wins = (cases * below).sum(axis=0)
    return np.divide(wins, pairs, out=np.full(len(pairs), np.nan), where=pairs > 0)


def auc_measure(question: Question) -> Measure:
    """The AUC that the question means: plain without a horizon, IPCW dynamic with one.

    Source: Uno et al. 2007; with competing events Blanche et al. 2013, definition 2.
    """

    def measure(rows: Rows, draw: Draw) -> Float[np.ndarray, " resample"]:
        weights = draw.weights(question)
        case, control = question.cases(rows)[:, None], question.controls(rows)[:, None]
        return weighted_auc(rows.risk, weights * case, weights * control)

    return measure


def auc_of(rows: Rows, question: Question, resampler: Resampler) -> Drawn:
    """AUC of some rows with its interval.

    Raises:
        UndefinedMetricError: If a run lacks cases, controls or follow-up.
    """
    for mask in rows.run_masks:
        question.require(rows.take(mask))
    return measured(rows, auc_measure(question), resampler)


def concordance_of(
    rows: Rows, question: Question, resampler: Resampler, pairs: TimeWeight, horizon: float | None
) -> Drawn:
    """Harrell's or Uno's C of the cause-specific time, competing events counted as censored.

    Above some thousand rows the interval is the infinitesimal jackknife's over patients, since a
    bootstrap of all pairs would take minutes.

    Args:
        rows: Whose C.
        question: Says which event.
        resampler: Of patients.
        pairs: Which C.
        horizon: Events later than this day begin no pair; None for all.

    Raises:
        UndefinedMetricError: If a run has no comparable pair.
    """
    found = [pairs_of(rows.take(mask), question, pairs, horizon) for mask in rows.run_masks]
    if len(rows) <= _LARGEST_KERNEL:
        return measured(rows, _kernel_measure(question, pairs, horizon), resampler)
    return _averaged(rows, found, resampler.resampling.level)


def antolini_of(
    rows: Rows, question: Question, level: float, horizon: float | None = None
) -> Drawn:
    """Antolini's time-dependent C of the stored curves, its interval the infinitesimal jackknife.

    Curves are compared at the last of at most 64 event times up to each event, log survival being
    straight between grid times; events after the last grid time begin no pair.

    Raises:
        UndefinedMetricError: If too few grid times are stored, or a run has no comparable pair.
    """
    found = []
    for part in (rows.take(mask) for mask in rows.run_masks):
        survival, grid = whole_curves(part)
        until = grid[-1] if horizon is None else min(horizon, grid[-1])
        event = part.event == question.cause
        happened = np.unique(part.time[event & (part.time <= until)])
        if not len(happened):
            raise UndefinedMetricError(f"no event up to day {until:g}, the last of the curves")
        place = np.linspace(0, len(happened) - 1, _MOST_MOMENTS).round().astype(int)
        moments = happened[np.unique(place)]
        levels = [survival_at(survival, grid, np.full(len(part), at)) for at in moments.tolist()]
        entry = part.entry if np.isfinite(part.entry).any() else None
        curves = np.stack(levels, axis=1)
        found.append(antolini(part.time, event, curves, moments, entry=entry, horizon=until))
    return _averaged(rows, found, level)


def _averaged(rows: Rows, found: Sequence[Concordance], level: float) -> Drawn:
    """The mean over runs, with the interval of what each patient adds to it."""
    influence = np.zeros(len(rows))
    for mask, part in zip(rows.run_masks, found, strict=True):
        if part.influence is not None:
            influence[mask] = part.influence / len(found)
    by_patient = np.bincount(rows.patient, influence)
    spread = float(np.sqrt((by_patient**2).sum()))
    runs = np.array([part.value for part in found])
    value = float(runs.mean())
    width = two_sided_width(level) * spread
    method = "infinitesimal jackknife over patients"
    limits = (max(0.0, value - width), min(1.0, value + width))
    return Drawn(Estimate(value, *limits, level, method), np.empty(0), by_patient, runs)


def pairs_of(
    rows: Rows, question: Question, pairs: TimeWeight, horizon: float | None
) -> Concordance:
    """C of the rows of one run, with its counts."""
    late = bool(np.isfinite(rows.entry).any())
    if late and pairs == "uno":
        raise UndefinedMetricError(
            "Uno's C is not defined here for patients who enter after their landmark"
        )
    event = rows.event == question.cause
    entry = rows.entry if late else None
    return concordance(rows.time, event, rows.risk, entry=entry, pairs=pairs, horizon=horizon)


def _kernel_measure(question: Question, pairs: TimeWeight, horizon: float | None) -> Measure:
    def measure(rows: Rows, draw: Draw) -> Float[np.ndarray, " resample"]:
        event = rows.event == question.cause
        begins = event if horizon is None else event & (rows.time <= horizon)
        outlived = (rows.time[:, None] < rows.time) | (
            (rows.time[:, None] == rows.time) & ~event[None, :]
        )
        outlived &= rows.entry < rows.time[:, None]
        first = np.flatnonzero(begins)
        counts = draw.counts
        comparable = outlived[first].astype(float)
        wins = comparable * (
            (rows.risk[first, None] > rows.risk) + 0.5 * (rows.risk[first, None] == rows.risk)
        )
        begun = counts[first]
        if pairs == "uno":
            begun = begun * _inverse_square(rows.time, event, counts, first)
        total = (begun * (comparable @ counts)).sum(axis=0)
        won = (begun * (wins @ counts)).sum(axis=0)
        return np.divide(won, total, out=np.full(len(total), np.nan), where=total > 0)

    return measure


def _inverse_square(
    time: Float[np.ndarray, " row"],
    event: Bool[np.ndarray, " row"],
    counts: Float[np.ndarray, "row resample"],
    wanted: np.ndarray,
) -> Float[np.ndarray, "wanted resample"]:
    """1/G(t-)^2 of some rows in every resample; 0 where the row is not in it."""
    moments, curve = censoring_survival(time, event, counts)
    curve = np.concatenate([np.ones((1, counts.shape[1])), curve])
    before = curve[np.searchsorted(moments, time[wanted], side="left")]
    inside = (counts[wanted] > 0) & (before > 0)
    return np.divide(1.0, before**2, out=np.zeros_like(before), where=inside)
