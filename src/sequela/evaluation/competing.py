"""Numbers that exist only where other causes compete with the event of interest."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np

from sequela.errors import UndefinedMetricError
from sequela.evaluation.calibration import calibration_measures, forecast
from sequela.evaluation.discrimination import auc_of, averaged
from sequela.evaluation.estimate import Estimate, estimated, undefined
from sequela.evaluation.outcome import Question
from sequela.evaluation.rows import ModelRows, Rows
from sequela.evaluation.settings import EvaluationSettings
from sequela.evaluation.stratification import RiskGroups, chi_squared_json, risk_groups
from sequela.evaluation.uncertainty import Measure, Resampler, measured
from sequela.survival.competing_concordance import competing_concordance
from sequela.survival.fine_gray import fit_fine_gray
from sequela.survival.gray import gray


def competing_risks(
    model: ModelRows, question: Question, settings: EvaluationSettings
) -> dict[str, object] | None:
    """Concordance with incidence, and the risk groups' incidence compared; None for one cause.

    Source: Wolbers et al. 2014; Gray 1988; Fine & Gray 1999.
    """
    rows, cause = model.test, question.cause
    rivals = (rows.event > 0) & (rows.event != cause)
    if not rivals.any():
        return None
    horizon = question.horizon or settings.table_days
    return {
        "horizon": horizon,
        "concordance": estimated(
            lambda: _concordance(rows, cause, horizon, settings.level)
        ).as_json(),
        "gray": _gray(model, cause, settings),
        "subdistribution_hazard_ratio": estimated(
            lambda: _subdistribution(rows, _groups(model, settings), cause, settings.level)
        ).as_json(),
    }


def other_causes(
    rows: Rows, question: Question, settings: EvaluationSettings, resampler: Resampler
) -> list[dict[str, object]]:
    """AUC, Brier score and observed/expected of each other cause whose incidence is predicted."""
    return [
        {"cause": cause, "metrics": _of_cause(rows, cause, question.horizon, settings, resampler)}
        for cause in rows.incidence
    ]


def _of_cause(
    rows: Rows,
    cause: int,
    horizon: float | None,
    settings: EvaluationSettings,
    resampler: Resampler,
) -> dict[str, object]:
    """What is said of the event of interest, asked of another: its incidence is the risk."""
    asked = Question(cause, horizon)
    names = ("brier", "observed_expected")
    try:
        made = forecast(rows, asked, otherwise=settings.table_days)
        incidence = rows.incidence[cause]
        turned = replace(rows, survival=1 - incidence, risk=incidence[:, made.column])
        made.question.require(turned)
    except UndefinedMetricError as error:
        return {name: undefined(error.message).as_json() for name in ("auc", *names)}
    measures = calibration_measures(made)
    found = {
        "auc": estimated(lambda: auc_of(turned, made.question, resampler).estimate),
        **{
            name: estimated(partial(_measured, turned, measures[name], resampler)) for name in names
        },
    }
    return {name: estimate.as_json() for name, estimate in found.items()}


def _measured(rows: Rows, measure: Measure, resampler: Resampler) -> Estimate:
    return measured(rows, measure, resampler).estimate


def _concordance(rows: Rows, cause: int, horizon: float, level: float) -> Estimate:
    found = [
        competing_concordance(
            part.time, part.event, part.risk, cause=cause, entry=part.late, horizon=horizon
        )
        for part in (rows.take(mask) for mask in rows.run_masks)
    ]
    return averaged(rows, found, level).estimate


def _groups(model: ModelRows, settings: EvaluationSettings) -> RiskGroups:
    groups = risk_groups(model, settings.threshold)
    groups.require_both()
    return groups


def _gray(model: ModelRows, cause: int, settings: EvaluationSettings) -> dict[str, object]:
    rows = model.test
    try:
        groups = _groups(model, settings)
        if not rows.one_row_a_patient:
            raise UndefinedMetricError("Gray's test asks for one row a patient")
        if rows.late is not None:
            raise UndefinedMetricError("Gray's test asks that all are seen from their landmark on")
        test = gray(rows.time, rows.event, groups.high.astype(np.int64), cause=cause)
    except UndefinedMetricError as error:
        return chi_squared_json(None, "", error.message)
    return chi_squared_json(test, "Gray", "")


def _subdistribution(rows: Rows, groups: RiskGroups, cause: int, level: float) -> Estimate:
    """Subdistribution hazard of the high against the low group, with Wald's interval and p."""
    if min((rows.event[inside] == cause).sum() for inside in (groups.high, ~groups.high)) == 0:
        raise UndefinedMetricError("a risk group has no event, so the ratio is 0 or infinite")
    model = fit_fine_gray(
        groups.high.astype(float)[:, None],
        rows.time,
        rows.event,
        cause=cause,
        entry=rows.late,
        cluster=None if rows.one_row_a_patient else rows.patient,
    )
    low, high = model.interval(level)
    method = "Fine and Gray, Wald" + ("" if rows.one_row_a_patient else ", robust by patient")
    value, least, most = np.exp([model.coefficients[0], low[0], high[0]]).tolist()
    return Estimate(value, least, most, level, method, p=float(model.wald_p()[0]))
