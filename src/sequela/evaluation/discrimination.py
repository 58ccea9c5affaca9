"""How well risk tells patients with the event from patients without."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

from sequela.errors import UndefinedMetricError


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
