"""What the report draws of one model: ROC, calibration, decision curve, histogram."""

from __future__ import annotations

import numpy as np

from sequela.errors import UndefinedMetricError
from sequela.evaluation.calibration import calibration_groups, forecast
from sequela.evaluation.distribution import a_calibration, d_calibration, own_survival
from sequela.evaluation.outcome import Question
from sequela.evaluation.recalibration import calibration_curve
from sequela.evaluation.rows import Rows
from sequela.evaluation.settings import EvaluationSettings
from sequela.evaluation.stratification import chi_squared_json
from sequela.evaluation.uncertainty import Resampling
from sequela.evaluation.utility import decision_curve

_HISTOGRAM_BINS = 20
_SMOOTH_POINTS = 60


def roc_curve(rows: Rows, question: Question, points: int) -> dict[str, object]:
    """The ROC curve of one run's rows, weighed as the AUC is."""
    nothing: list[float] = []
    try:
        if len(rows.run_masks) > 1:
            raise UndefinedMetricError("risks of several runs do not share one scale")
        question.require(rows)
    except UndefinedMetricError as error:
        return {
            "false_positive_rate": nothing,
            "true_positive_rate": nothing,
            "reason": error.message,
        }
    weights = question.weights(rows, np.ones((len(rows), 1)))[:, 0]
    values, place = np.unique(-rows.risk, return_inverse=True)
    rates = []
    for mask in (question.controls(rows), question.cases(rows)):
        sums = np.bincount(place, weights * mask, len(values)).cumsum()
        rates.append(np.append(0.0, sums / sums[-1]))
    keep = np.unique(np.linspace(0, len(values), points).round().astype(int))
    return {
        "false_positive_rate": rates[0][keep].tolist(),
        "true_positive_rate": rates[1][keep].tolist(),
        "reason": "",
    }


def calibration_of(
    rows: Rows, question: Question, settings: EvaluationSettings
) -> dict[str, object]:
    """Calibration groups and smooth curve at the forecast's horizon, and tests of whole curves."""
    return {**_at_horizon(rows, question, settings), **_whole_curves(rows, question.cause)}


def _whole_curves(rows: Rows, cause: int) -> dict[str, object]:
    methods = {
        "a_calibration": (a_calibration, "Akritas, tenths of predicted probability"),
        "d_calibration": (d_calibration, "Haider, tenths of predicted survival"),
    }
    found: dict[str, object] = {}
    for name, (test, method) in methods.items():
        try:
            if len(rows.run_masks) > 1:
                raise UndefinedMetricError("rows of several runs are not independent")
            found[name] = chi_squared_json(test(*own_survival(rows, cause)), method, "")
        except UndefinedMetricError as error:
            found[name] = chi_squared_json(None, "", error.message)
    return found


def _at_horizon(rows: Rows, question: Question, settings: EvaluationSettings) -> dict[str, object]:
    try:
        made = forecast(rows, question, otherwise=settings.table_days)
        made.question.require(rows)
    except UndefinedMetricError as error:
        return {
            "reason": error.message,
            "horizon": None,
            "groups": None,
            "curve": None,
            "method": "",
        }
    groups = calibration_groups(rows, made, count=settings.calibration_groups, level=settings.level)
    found: dict[str, object] = {"horizon": made.horizon, "groups": groups}
    try:
        curve = calibration_curve(rows, made)
    except UndefinedMetricError as error:
        return {**found, "reason": error.message, "curve": None, "method": ""}
    order = np.argsort(curve.predicted)
    keep = order[np.unique(np.linspace(0, len(order) - 1, _SMOOTH_POINTS).round().astype(int))]
    smooth = {
        "predicted": curve.predicted[keep].tolist(),
        "observed": curve.observed[keep].tolist(),
    }
    return {**found, "reason": "", "curve": smooth, "method": curve.method}


def decision_curve_of(
    rows: Rows, question: Question, settings: EvaluationSettings
) -> dict[str, object]:
    """Net benefit at the forecast's horizon."""
    try:
        made = forecast(rows, question, otherwise=settings.table_days)
        made.question.require(rows)
    except UndefinedMetricError as error:
        names = ("threshold", "model", "low", "high", "treat_all", "treat_none")
        empty: dict[str, object] = {name: [] for name in names}
        return {**empty, "horizon": None, "reason": error.message}
    count = min(settings.curve_bootstraps, settings.bootstraps)
    resampling = Resampling(count, settings.seed, settings.level)
    curve = decision_curve(rows, made, settings.thresholds, resampling)
    return {**curve, "horizon": made.horizon, "reason": ""}


def risk_histogram(
    rows: Rows, question: Question, settings: EvaluationSettings
) -> dict[str, object]:
    """How predicted risk is spread among those with the event, those without, and the unknown.

    The probability at the forecast's horizon, as calibration plots have it; where none is stored,
    the risk that ranks.
    """
    case, control = question.cases(rows), question.controls(rows)
    try:
        risk = forecast(rows, question, otherwise=settings.table_days).risk(rows)
    except UndefinedMetricError:
        risk = rows.risk
    low, high = float(risk.min()), float(risk.max())
    bounds = (0.0, 1.0) if low >= 0 and high <= 1 else (low, max(high, low + 1e-9))
    edges = np.linspace(*bounds, _HISTOGRAM_BINS + 1)

    def counts(mask: np.ndarray) -> list[int]:
        return [int(count) for count in np.histogram(risk[mask], edges)[0]]

    return {
        "edges": edges.tolist(),
        "case": counts(case),
        "control": counts(control),
        "unknown": counts(~case & ~control),
    }
