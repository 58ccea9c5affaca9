"""Whether whole predicted curves come true: D-calibration and A-calibration."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

from sequela.errors import UndefinedMetricError
from sequela.evaluation.rows import Rows
from sequela.survival.cox import ChiSquared, chi_squared_test

_BINS = 10
_FEWEST_TIMES = 5
_FEWEST_EXPECTED = 5.0
_SMALLEST = 1e-12


def d_calibration(
    survival: Float[np.ndarray, " patient"], event: Bool[np.ndarray, " patient"]
) -> ChiSquared:
    """Whether predicted survival at the time of the event is spread evenly from 0 to 1.

    A censored patient counts in all bins below the survival at censoring, as a calibrated model
    would have it; the more are censored, the less the test can find.

    Args:
        survival: Predicted for each patient at the own time of event or censoring.
        event: True where the event was observed.

    Source: Haider et al. 2020, section 3.2 and appendix B.
    """
    width = 1 / _BINS
    lower = np.arange(_BINS) * width
    place = np.minimum((survival / width).astype(np.int64), _BINS - 1)
    counts = np.bincount(place[event], minlength=_BINS).astype(float)
    left = np.maximum(survival[~event, None], _SMALLEST)
    counts += (np.clip(left - lower, 0, width) / left).sum(axis=0)
    expected = len(survival) * width
    return chi_squared_test(float(((counts - expected) ** 2 / expected).sum()), _BINS - 1)


def a_calibration(
    survival: Float[np.ndarray, " patient"], event: Bool[np.ndarray, " patient"]
) -> ChiSquared:
    """Whether events come as often as predicted in each tenth of predicted probability.

    In the scale of one minus survival a calibrated model has the hazard 1 / (1 - u) for everybody,
    whoever is censored; observed and expected events of each tenth are compared, tenths with fewer
    than five expected events being joined.

    Args:
        survival: Predicted for each patient at the own time of event or censoring.
        event: True where the event was observed.

    Raises:
        UndefinedMetricError: If nobody is expected to have the event.

    Source: Akritas 1988; Simonsen & Waagepetersen 2024.
    """
    edges = np.linspace(0, 1, _BINS + 1)
    hazard = -np.log(np.maximum(1 - edges, _SMALLEST))
    hazard[-1] = np.inf
    reached = -np.log(np.maximum(survival, _SMALLEST))
    expected = np.minimum(reached[:, None], hazard[1:]) - np.minimum(reached[:, None], hazard[:-1])
    sums = expected.sum(axis=0)
    place = np.minimum(((1 - survival) * _BINS).astype(np.int64), _BINS - 1)
    counts = np.bincount(place[event], minlength=_BINS)
    counts, sums = _joined(counts.astype(float), sums)
    if sums[0] < _SMALLEST:
        raise UndefinedMetricError("no patient is predicted to have the event: nothing to test")
    return chi_squared_test(float(((counts - sums) ** 2 / sums).sum()), len(sums))


def _joined(
    counts: Float[np.ndarray, " bin"], expected: Float[np.ndarray, " bin"]
) -> tuple[Float[np.ndarray, " joined"], Float[np.ndarray, " joined"]]:
    """Counts with neighbouring bins joined until each expects enough, the rest with the last."""
    starts, since = [0], 0.0
    for number, one in enumerate(expected[:-1].tolist()):
        since += one
        if since >= _FEWEST_EXPECTED and expected[number + 1 :].sum() >= _FEWEST_EXPECTED:
            starts, since = [*starts, number + 1], 0.0
    return np.add.reduceat(counts, starts), np.add.reduceat(expected, starts)


def own_survival(
    rows: Rows, cause: int
) -> tuple[Float[np.ndarray, " row"], Bool[np.ndarray, " row"]]:
    """Predicted survival at each row's own time, and whether the event was seen.

    Log survival is straight between grid times; follow-up ends at the last of them.

    Raises:
        UndefinedMetricError: If events compete, patients have several rows or enter late, or too
            few grid times are stored to know the curves.
    """
    if ((rows.event > 0) & (rows.event != cause)).any():
        raise UndefinedMetricError("not defined where events compete")
    if not rows.one_row_a_patient:
        raise UndefinedMetricError("the test takes rows as independent, here patients have several")
    if np.isfinite(rows.entry).any():
        raise UndefinedMetricError("not defined for patients who enter after their landmark")
    survival, grid = whole_curves(rows)
    seen = (rows.event == cause) & (rows.time <= grid[-1])
    return survival_at(survival, grid, rows.time), seen


def whole_curves(
    rows: Rows,
) -> tuple[Float[np.ndarray, "row time"], Float[np.ndarray, " time"]]:
    """Stored survival, and the grid times at which every row has it.

    Raises:
        UndefinedMetricError: If these are too few to know the curves.
    """
    grid = np.array(rows.grid)
    stored = np.isfinite(rows.survival).all(axis=0) & (grid > 0)
    if stored.sum() < _FEWEST_TIMES:
        raise UndefinedMetricError(
            f"curves are needed at {_FEWEST_TIMES} grid times or more, found {int(stored.sum())}",
            hint="store survival at more times",
        )
    return rows.survival[:, stored], grid[stored]


def survival_at(
    survival: Float[np.ndarray, "row time"],
    grid: Float[np.ndarray, " time"],
    times: Float[np.ndarray, " row"],
) -> Float[np.ndarray, " row"]:
    """Each row's survival at its own time, its logarithm straight between grid times.

    From 1 at day 0 on; after the last grid time it stays level.
    """
    knots = np.append(0.0, grid)
    logs = np.log(np.maximum(survival, _SMALLEST))
    logs = np.concatenate([np.zeros((len(times), 1)), logs], axis=1)
    until = np.minimum(times, knots[-1])
    right = np.clip(np.searchsorted(knots, until, side="left"), 1, len(knots) - 1)
    share = (until - knots[right - 1]) / (knots[right] - knots[right - 1])
    every = np.arange(len(times))
    return np.exp((1 - share) * logs[every, right - 1] + share * logs[every, right])
