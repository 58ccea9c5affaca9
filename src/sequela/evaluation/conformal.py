"""Conformal lower bounds on the time to the event, and how often they hold."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

from sequela.errors import UndefinedMetricError
from sequela.evaluation.distribution import survival_at
from sequela.evaluation.estimate import Estimate, estimated, undefined
from sequela.evaluation.outcome import landmark_strata
from sequela.evaluation.rows import ModelRows, Rows
from sequela.evaluation.uncertainty import Draw, Resampler, measured
from sequela.survival.censoring import censoring_survival

METHOD = "split conformal on validation rows, censoring weighted (IPCW)"


def conformal_bounds(
    model: ModelRows, cause: int, level: float, resampler: Resampler
) -> dict[str, object]:
    """Lower bounds that the time to the event exceeds with a chance of `level`, as JSON.

    The bound of a patient is the day on which the predicted probability of the event reaches a
    cut; the cut is chosen on validation rows of the same run, so that it holds whatever the
    model: the model only decides how long the bounds are. A patient struck by a competing event
    never has the event of interest.

    Args:
        model: Test rows, and validation rows of the same runs.
        cause: The event.
        level: The chance with which bounds are to hold.
        resampler: For the interval of the measured coverage.
    """
    cuts: dict[int, float] = {}

    def coverage() -> Estimate:
        grid, kept = _grid(model.test)
        for run in np.unique(model.test.run).tolist():
            rows = model.validation.take(model.validation.run == run)
            cuts[run] = _cut(
                _scores(rows, cause, grid, kept), _weights(rows, cause, grid[-1]), level
            )

        def held(rows: Rows, draw: Draw) -> Float[np.ndarray, " resample"]:
            scores = _scores(rows, cause, grid, kept)
            cut = np.array([cuts[run] for run in rows.run.tolist()])
            weights = _resampled_weights(rows, cause, grid[-1], draw.counts)
            broken = (weights * (scores < cut)[:, None]).sum(axis=0)
            return 1 - broken / draw.counts.sum(axis=0)

        return measured(model.test, held, resampler).estimate

    estimate = estimated(coverage)
    if estimate.value is None:
        return _json(level, [], estimate, None, estimate.reason)
    grid, kept = _grid(model.test)
    cut = np.array([cuts[run] for run in model.test.run.tolist()])
    bounds = lower_bounds(model.test.survival[:, kept], grid, cut)
    return _json(level, list(cuts.values()), estimate, float(np.median(bounds)), "")


def lower_bounds(
    survival: Float[np.ndarray, "row time"],
    grid: Float[np.ndarray, " time"],
    cut: Float[np.ndarray, " row"],
) -> Float[np.ndarray, " row"]:
    """The day on which the predicted probability of the event reaches each row's cut.

    Where it does not reach it by the last grid time, that time: a shorter bound, so a safe one.
    """
    knots = np.append(0.0, grid)
    hazard = -np.log(np.clip(survival, 1e-12, 1.0))
    hazard = np.concatenate(
        [np.zeros((len(cut), 1)), np.maximum.accumulate(hazard, axis=1)], axis=1
    )
    wanted = -np.log1p(-np.minimum(cut, 1 - 1e-12))
    right = np.minimum((hazard < wanted[:, None]).sum(axis=1), len(knots) - 1)
    left = np.maximum(right - 1, 0)
    every = np.arange(len(cut))
    rise = hazard[every, right] - hazard[every, left]
    share = np.divide(wanted - hazard[every, left], rise, out=np.zeros(len(cut)), where=rise > 0)
    return knots[left] + np.clip(share, 0, 1) * (knots[right] - knots[left])


def _grid(rows: Rows) -> tuple[Float[np.ndarray, " time"], Bool[np.ndarray, " stored"]]:
    grid = np.array(rows.grid)
    kept = np.isfinite(rows.survival).all(axis=0) & (grid > 0)
    if not kept.any():
        raise UndefinedMetricError("the predictions store no survival probabilities")
    if np.isfinite(rows.entry).any():
        raise UndefinedMetricError("not defined for patients who enter after their landmark")
    return grid[kept], kept


def _scores(
    rows: Rows, cause: int, grid: Float[np.ndarray, " time"], kept: Bool[np.ndarray, " stored"]
) -> Float[np.ndarray, " row"]:
    """Predicted probability of the event by its own day; infinite where it was not seen."""
    happened = (rows.event == cause) & (rows.time <= grid[-1])
    risk = 1 - survival_at(rows.survival[:, kept], grid, rows.time)
    return np.where(happened, risk, np.inf)


def _weights(rows: Rows, cause: int, last: float) -> Float[np.ndarray, " row"]:
    return _resampled_weights(rows, cause, last, np.ones((len(rows), 1)))[:, 0]


def _resampled_weights(
    rows: Rows, cause: int, last: float, counts: Float[np.ndarray, "row resample"]
) -> Float[np.ndarray, "row resample"]:
    """1/G(T-) of those seen to have the event by the last grid time, 0 of the others."""
    result = np.zeros_like(counts)
    strata = landmark_strata(rows)
    for stratum in np.unique(strata):
        inside = strata == stratum
        time, event = rows.time[inside], rows.event[inside]
        moments, curve = censoring_survival(time, event > 0, counts[inside])
        curve = np.concatenate([np.ones((1, counts.shape[1])), curve])
        before = curve[np.searchsorted(moments, time, side="left")]
        seen = ((event == cause) & (time <= last))[:, None] & (before > 0)
        result[inside] = np.divide(counts[inside], before, out=np.zeros_like(before), where=seen)
    return result


def _cut(
    scores: Float[np.ndarray, " row"], weights: Float[np.ndarray, " row"], level: float
) -> float:
    """The largest score with at most (1 - level)(n + 1) weight at or below it.

    Raises:
        UndefinedMetricError: If validation rows are too few for that level.

    Source: Vovk et al. 2005, section 2.3; Candès, Lei & Ren 2023 for survival times; inverse
        probability of censoring weights as Graf et al. 1999.
    """
    order = np.argsort(scores)
    reached = weights[order].cumsum() <= (1 - level) * (len(scores) + 1) * (1 + 1e-9)
    usable = order[reached & np.isfinite(scores[order])]
    if not len(usable):
        raise UndefinedMetricError(
            f"a bound that holds with a chance of {level:g} needs more validation rows with the "
            f"event than these {len(scores)} rows have"
        )
    return float(scores[usable[-1]])


def _json(
    level: float, cuts: list[float], coverage: Estimate, median: float | None, reason: str
) -> dict[str, object]:
    return {
        "level": level,
        "cuts": cuts,
        "coverage": (coverage if coverage.value is not None else undefined(reason)).as_json(),
        "median_bound": median,
        "method": METHOD,
        "reason": reason,
    }
