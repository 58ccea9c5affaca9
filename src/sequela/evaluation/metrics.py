"""Every metric of one model, by name: `sequela list metrics` prints this list."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from sequela.errors import UndefinedMetricError
from sequela.evaluation.calibration import Forecast, calibration_measures, forecast
from sequela.evaluation.discrimination import antolini_of, auc_of, concordance_of
from sequela.evaluation.estimate import Estimate, undefined
from sequela.evaluation.outcome import Question
from sequela.evaluation.recalibration import calibration_curve, calibration_slope
from sequela.evaluation.rows import ModelRows, Rows
from sequela.evaluation.settings import EvaluationSettings
from sequela.evaluation.threshold import chosen_thresholds, threshold_measures
from sequela.evaluation.uncertainty import (
    Drawn,
    Resampler,
    Resampling,
    measured,
    multiplicities,
    summarised,
)

METRICS = {
    "auc": "chance that a patient with the event has the higher risk (IPCW with a horizon)",
    "accuracy": "share called rightly at the validation threshold",
    "sensitivity": "share of patients with the event called positive",
    "specificity": "share of patients without the event called negative",
    "ppv": "share with the event among those called positive",
    "npv": "share without the event among those called negative",
    "harrell_c": "Harrell's concordance of risk with time to event",
    "uno_c": "Uno's concordance, free of the censoring distribution",
    "antolini_c": "Antolini's concordance of whole curves at each event's own time",
    "brier": "mean squared error of predicted probability at the horizon, IPCW",
    "brier_null": "the same for Kaplan-Meier (competing events: Aalen-Johansen)",
    "ipa": "index of prediction accuracy: 1 - brier / brier_null",
    "observed_expected": "observed over mean predicted incidence at the horizon",
    "calibration_slope": "change of observed with predicted log cumulative hazard; 1 is right",
    "ici": "mean absolute difference of smooth observed and predicted risk",
    "e50": "its median",
    "e90": "its 90th percentile",
    "emax": "its maximum",
}
"""Names of metrics, and what each says."""


def describe_metrics() -> dict[str, str]:
    """Names of metrics, and what each says, as `sequela list metrics` prints them."""
    return dict(METRICS)


def metrics_of(
    model: ModelRows, question: Question, settings: EvaluationSettings, resampler: Resampler
) -> dict[str, Drawn]:
    """All of `METRICS` for one model; undefined ones say why."""
    rows = model.test
    horizon = question.horizon or settings.table_days
    found = {
        "auc": _drawn(lambda: auc_of(rows, question, resampler)),
        "harrell_c": _drawn(
            lambda: concordance_of(rows, question, resampler, "harrell", question.horizon)
        ),
        "uno_c": _drawn(lambda: concordance_of(rows, question, resampler, "uno", horizon)),
        "antolini_c": _drawn(lambda: antolini_of(rows, question, settings.level, question.horizon)),
        **_at_threshold(model, question, resampler, settings.threshold),
        **_calibration(rows, question, settings, resampler),
    }
    return {name: found[name] for name in METRICS}


def _drawn(compute: Callable[[], Drawn]) -> Drawn:
    try:
        return compute()
    except UndefinedMetricError as error:
        return Drawn(undefined(error.message), np.empty(0))


def _alone(compute: Callable[[], Estimate]) -> Drawn:
    return _drawn(lambda: Drawn(compute(), np.empty(0)))


def _at_threshold(
    model: ModelRows, question: Question, resampler: Resampler, stated: float | None
) -> dict[str, Drawn]:
    names = ("accuracy", "sensitivity", "specificity", "ppv", "npv")
    try:
        thresholds = chosen_thresholds(model, question, stated)
        for mask in model.test.run_masks:
            question.require(model.test.take(mask))
    except UndefinedMetricError as error:
        return {name: Drawn(undefined(error.message), np.empty(0)) for name in names}
    measures = threshold_measures(question, thresholds)
    return {
        name: _drawn(partial(measured, model.test, measures[name], resampler)) for name in names
    }


def _calibration(
    rows: Rows, question: Question, settings: EvaluationSettings, resampler: Resampler
) -> dict[str, Drawn]:
    simple = ("brier", "brier_null", "ipa", "observed_expected")
    smooth = ("ici", "e50", "e90", "emax")
    try:
        made = forecast(rows, question, otherwise=settings.table_days)
        for mask in rows.run_masks:
            made.question.require(rows.take(mask))
    except UndefinedMetricError as error:
        names = (*simple, "calibration_slope", *smooth)
        return {name: Drawn(undefined(error.message), np.empty(0)) for name in names}
    measures = calibration_measures(made)
    return {
        **{name: _drawn(partial(measured, rows, measures[name], resampler)) for name in simple},
        "calibration_slope": _alone(lambda: calibration_slope(rows, made, level=settings.level)),
        **_smooth(rows, made, resampler.resampling, settings.curve_bootstraps),
    }


def _smooth(rows: Rows, made: Forecast, resampling: Resampling, count: int) -> dict[str, Drawn]:
    names = ("ici", "e50", "e90", "emax")
    try:
        point = calibration_curve(rows, made).indices()
    except UndefinedMetricError as error:
        return {name: Drawn(undefined(error.message), np.empty(0)) for name in names}
    fewer = Resampling(min(count, resampling.count), resampling.seed, resampling.level)
    draws: dict[str, list[float]] = {name: [] for name in names}
    for counts in multiplicities(rows.patient, fewer):
        for column in counts.astype(np.int64).T:
            drawn = _indices_or_nan(rows, made, column)
            for name in names:
                draws[name].append(drawn[name])
    arrays = {name: np.array(values) for name, values in draws.items()}
    return {
        name: Drawn(summarised(point[name], arrays[name], fewer), arrays[name]) for name in names
    }


def _indices_or_nan(rows: Rows, made: Forecast, counts: np.ndarray) -> dict[str, float]:
    try:
        return calibration_curve(rows, made, counts).indices()
    except UndefinedMetricError:
        return dict.fromkeys(("ici", "e50", "e90", "emax"), float("nan"))
