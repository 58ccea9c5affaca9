"""Net benefit: what acting on a prediction gains over treating everybody or nobody."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float

from sequela.errors import UndefinedMetricError
from sequela.evaluation.calibration import Forecast
from sequela.evaluation.rows import Rows
from sequela.evaluation.uncertainty import Resampling, multiplicities, summarised
from sequela.survival.aalen_johansen import aalen_johansen


def net_benefit(
    risk: Float[np.ndarray, " row"], threshold: float, rows: Rows, made: Forecast
) -> float:
    """True positives less false positives at the threshold's odds, per patient.

    The share of events among the treated is their cumulative incidence at the horizon, so that the
    censored count as long as they were seen, and a competing event is none of interest. Patients
    who enter late are weighed, so that they stand for those who never could.

    Args:
        risk: Predicted probability of the event by the horizon; at the threshold is treated.
        threshold: The risk at which treating is worth it.
        rows: Outcomes of the same rows.
        made: Says which event and horizon.

    Raises:
        UndefinedMetricError: If follow-up of the treated ends before the horizon.

    Source: Vickers & Elkin 2006; Vickers et al. 2008 for censored times.
    """
    treated = risk >= threshold
    if not treated.any():
        return 0.0
    odds = threshold / (1 - threshold)
    if rows.late is not None:
        weights = made.question.weights(rows, np.ones((len(rows), 1)))[:, 0]
        case = made.question.cases(rows)
        return float((weights * treated * np.where(case, 1.0, -odds)).sum() / len(rows))
    incidence = _incidence(rows, treated, made)
    return float(treated.mean() * (incidence - (1 - incidence) * odds))


def decision_curve(
    rows: Rows, made: Forecast, thresholds: Sequence[float], resampling: Resampling
) -> dict[str, list[float | None]]:
    """Net benefit of the model, of treating all, of treating none; null where undefined.

    The limits of the model's are percentiles over resamples of the patients.
    """
    limits = [_limits(made.risk(rows), one, rows, made, resampling) for one in thresholds]
    everybody = np.ones(len(rows))
    curve: dict[str, list[float | None]] = {
        "threshold": list(thresholds),
        "model": [_or_none(made.risk(rows), one, rows, made) for one in thresholds],
        "low": [low for low, _ in limits],
        "high": [high for _, high in limits],
        "treat_all": [_or_none(everybody, one, rows, made) for one in thresholds],
        "treat_none": [0.0 for _ in thresholds],
    }
    return curve


def _limits(
    risk: Float[np.ndarray, " row"],
    threshold: float,
    rows: Rows,
    made: Forecast,
    resampling: Resampling,
) -> tuple[float | None, float | None]:
    """Limits of a net benefit; none where it does not exist in half of the resamples."""
    treated = risk >= threshold
    value = _or_none(risk, threshold, rows, made)
    if value is None or not treated.any():
        return None, None
    kept, odds = rows.take(treated), threshold / (1 - threshold)
    draws = []
    for counts in multiplicities(rows.patient, resampling):
        own = counts[treated]
        # The weighted share of cases is the incidence (Satten & Datta 2001).
        weights = made.question.weights_of(kept.time, kept.event, own)
        cases = (weights * made.question.cases(kept)[:, None]).sum(axis=0)
        draws.append((cases - (own.sum(axis=0) - cases) * odds) / counts.sum(axis=0))
    found = summarised(value, np.concatenate(draws or [np.empty(0)]), resampling)
    return found.low, found.high


def _or_none(
    risk: Float[np.ndarray, " row"], threshold: float, rows: Rows, made: Forecast
) -> float | None:
    try:
        return net_benefit(risk, threshold, rows, made)
    except UndefinedMetricError:
        return None


def _incidence(rows: Rows, treated: Bool[np.ndarray, " row"], made: Forecast) -> float:
    cause = made.question.cause
    curve = aalen_johansen(rows.time[treated], rows.event[treated], cause=cause)
    curve.require(made.horizon)
    return float(curve.at(np.array([made.horizon]))[0])
