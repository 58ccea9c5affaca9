"""How well risk tells patients with the event from patients without."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int

from sequela.errors import UndefinedMetricError
from sequela.evaluation.distribution import survival_at, whole_curves
from sequela.evaluation.estimate import Estimate
from sequela.evaluation.outcome import Question
from sequela.evaluation.rows import Rows
from sequela.evaluation.uncertainty import Draw, Drawn, Measure, Resampler, measured
from sequela.survival.antolini import antolini
from sequela.survival.censoring import population
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
    # Sorted asks find their place in what the processor has just read.
    first, second = (_by_risk(risk, part) for part in (case, control))
    below = np.zeros((len(second) + 1, control.shape[1]))
    np.cumsum(control[second], axis=0, out=below[1:])
    ends = [np.searchsorted(risk[second], risk[first], side=side) for side in ("left", "right")]
    cases = case[first]
    wins = np.einsum("cr,cr->r", cases, below[ends[0]])
    tied = np.flatnonzero(ends[0] < ends[1])
    wins += np.einsum("cr,cr->r", cases[tied], below[ends[1][tied]] - below[ends[0][tied]]) / 2
    pairs = cases.sum(axis=0) * below[-1]
    return np.divide(wins, pairs, out=np.full(len(pairs), np.nan), where=pairs > 0)


def _by_risk(
    risk: Float[np.ndarray, " row"], weight: Float[np.ndarray, "row resample"]
) -> Int[np.ndarray, " some"]:
    """The rows that weigh something in some resample, by ascending risk."""
    heavy = np.flatnonzero(weight[:, 0] if weight.shape[1] == 1 else weight.any(axis=1))
    return heavy[np.argsort(risk[heavy])]


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
    return averaged(rows, found, resampler.resampling.level)


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
        curves = np.stack(levels, axis=1)
        found.append(antolini(part.time, event, curves, moments, entry=part.late, horizon=until))
    return averaged(rows, found, level)


def averaged(rows: Rows, found: Sequence[Concordance], level: float) -> Drawn:
    """The mean of a C over runs, with the interval of what each patient adds to it."""
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
    event = rows.event == question.cause
    return concordance(
        rows.time,
        event,
        rows.risk,
        entry=rows.late,
        pairs=pairs,
        horizon=horizon,
        known_weights=False,
    )


def _kernel_measure(question: Question, pairs: TimeWeight, horizon: float | None) -> Measure:
    """All pairs at once, for many resamples.

    Whole counts and halves of them are exact in single precision, in half the time.
    """

    def measure(rows: Rows, draw: Draw) -> Float[np.ndarray, " resample"]:
        event = rows.event == question.cause
        first = np.flatnonzero(event if horizon is None else event & (rows.time <= horizon))
        time, risk = rows.time[first, None], rows.risk[first, None]
        comparable = (time < rows.time) | ((time == rows.time) & ~event)
        comparable &= rows.entry < time
        half_wins = (risk > rows.risk).astype(np.float32) + (risk >= rows.risk)
        half_wins *= comparable
        counts = draw.counts.astype(np.float32)
        begun = draw.counts[first]
        if pairs == "uno":
            begun = begun * _inverse_square(rows, event, draw.counts, first)
        total = np.einsum("er,er->r", begun, comparable.astype(np.float32) @ counts)
        won = np.einsum("er,er->r", begun, half_wins @ counts) / 2
        return np.divide(won, total, out=np.full(len(total), np.nan), where=total > 0)

    return measure


def _inverse_square(
    rows: Rows,
    event: Bool[np.ndarray, " row"],
    counts: Float[np.ndarray, "row resample"],
    wanted: np.ndarray,
) -> Float[np.ndarray, "wanted resample"]:
    """1/G(t-)^2 of some rows in every resample."""
    until = float(rows.time[wanted].max(initial=0.0))
    moments, stands, _ = population(rows.time, event, counts, until=until, entry=rows.late)
    return stands[np.searchsorted(moments, rows.time[wanted])] ** 2
