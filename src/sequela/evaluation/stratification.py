"""Risk groups at the validation median, and what became of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from sequela.errors import UndefinedMetricError
from sequela.evaluation.rows import ModelRows, Rows
from sequela.survival.kaplan_meier import kaplan_meier


@dataclass(frozen=True)
class RiskGroups:
    """High or low for each row: at or above the median risk of the same run's validation rows."""

    cuts: tuple[float, ...]
    high: Bool[np.ndarray, " row"]


def risk_groups(model: ModelRows) -> RiskGroups:
    """Cut each run's test rows at the median of its validation rows; at the median is high.

    Raises:
        UndefinedMetricError: If a run has no validation rows.
    """
    cuts = []
    high = np.zeros(len(model.test), dtype=bool)
    for run in np.unique(model.test.run):
        chosen = model.validation.risk[model.validation.run == run]
        if not len(chosen):
            raise UndefinedMetricError(
                "risk groups need validation rows of the same run to choose the cut on, found none",
                hint="write validation rows into the predictions table",
            )
        cuts.append(float(np.median(chosen)))
        rows = model.test.run == run
        high[rows] = model.test.risk[rows] >= cuts[-1]
    return RiskGroups(tuple(cuts), high)


def survival_curve(rows: Rows, cause: int, *, level: float, points: int) -> dict[str, object]:
    """The curve of staying free of the event, as plotted: limits null where they do not exist."""
    curve = kaplan_meier(rows.time, rows.event == cause, entry=rows.entry)
    keep = np.union1d(np.flatnonzero(curve.sets.events > 0), [len(curve.time) - 1])
    keep = keep[np.unique(np.linspace(0, len(keep) - 1, points).round().astype(int))]
    time = curve.time[keep]
    low, high = curve.interval(time, level=level)
    return {
        "kind": "kaplan-meier",
        "time": [0.0, *time.tolist()],
        "estimate": [1.0, *curve.survival[keep].tolist()],
        "low": [None, *nullable(low)],
        "high": [None, *nullable(high)],
    }


def nullable(values: Float[np.ndarray, " value"]) -> list[float | None]:
    """The numbers as JSON holds them: null where they do not exist."""
    return [float(value) if np.isfinite(value) else None for value in values]


def numbers_at_risk(rows: Rows, times: Float[np.ndarray, " time"]) -> list[int]:
    """How many rows are under observation at each time."""
    watched = (rows.entry[:, None] <= times) & (rows.time[:, None] >= times)
    return [int(count) for count in watched.sum(axis=0)]
