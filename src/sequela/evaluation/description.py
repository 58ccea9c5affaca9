"""One model's entry in the evaluation: its counts, thresholds, groups, curves, landmarks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
from jaxtyping import Float

from sequela.errors import UndefinedMetricError
from sequela.evaluation.calibration import calibration_measures, forecast
from sequela.evaluation.competing import competing_risks, other_causes
from sequela.evaluation.conformal import conformal_bounds
from sequela.evaluation.curves import calibration_of, decision_curve_of, risk_histogram, roc_curve
from sequela.evaluation.discrimination import auc_of, pairs_of
from sequela.evaluation.estimate import Estimate, estimated
from sequela.evaluation.evidence import OPTIMISTIC, evidence_of, marks_of, sampling_in_words
from sequela.evaluation.outcome import Question
from sequela.evaluation.over_time import over_time
from sequela.evaluation.remapping import recalibrations
from sequela.evaluation.rows import ModelRows, Rows
from sequela.evaluation.runs import spread_of
from sequela.evaluation.settings import EvaluationSettings
from sequela.evaluation.stratification import (
    RULE,
    STATED,
    free_curve,
    group_test,
    hazard_ratio,
    numbers_at_risk,
    outcome_counts,
    proportionality,
    risk_groups,
)
from sequela.evaluation.threshold import RULE as THRESHOLD_RULE
from sequela.evaluation.threshold import STATED as STATED_THRESHOLD
from sequela.evaluation.threshold import chosen_thresholds, confusion
from sequela.evaluation.uncertainty import Drawn, Resampler, Resampling, measured
from sequela.survival.kaplan_meier import kaplan_meier


def described(
    model: ModelRows,
    question: Question,
    metrics: Mapping[str, Drawn],
    settings: EvaluationSettings,
    resampler: Resampler,
    until: float,
) -> dict[str, object]:
    """Everything about one model that `evaluation.json` holds; integrals end at `until`."""
    rows = model.test
    return {
        "name": model.name,
        "model": model.model,
        "variant": model.variant,
        "endpoint": model.endpoint,
        "split": model.split,
        "provenance": model.provenance.model_dump(mode="json"),
        "warnings": _warnings(model),
        "evidence": evidence_of(model, settings.evidence),
        "marks": marks_of(model),
        "horizon": question.horizon,
        "definition": question.in_words(),
        "counts": {**_counts(rows, question), "validation_rows": len(model.validation)},
        "follow_up": {"median": estimated(lambda: _follow_up(rows, settings.level)).as_json()},
        "metrics": {name: drawn.estimate.as_json() for name, drawn in metrics.items()},
        "spread": spread_of(model, metrics),
        **_threshold(model, question, settings.threshold),
        "concordance": _pairs(rows, question),
        "over_time": over_time(rows, question, level=settings.level, until=until),
        "competing_risks": competing_risks(model, question, settings),
        "other_causes": other_causes(rows, question, settings, resampler),
        "risk_groups": _risk_groups(model, question, settings),
        "calibration": calibration_of(rows, question, settings),
        "recalibration": recalibrations(model, question, settings, resampler),
        "conformal": conformal_bounds(model, question.cause, settings.conformal_level, resampler),
        "decision_curve": decision_curve_of(rows, question, settings),
        "risk_histogram": risk_histogram(rows, question, settings),
        "roc": roc_curve(rows, question, settings.curve_points),
        "landmarks": _landmarks(rows, question, settings),
    }


def _warnings(model: ModelRows) -> list[str]:
    chosen = model.provenance.epoch_chosen_on
    found = {
        "test": [OPTIMISTIC],
        "unknown": ["how the model was selected is not known"],
    }.get(chosen, [])
    if model.test.late is not None:
        found = [*found, "some patients come under observation after their landmark"]
    sampling = model.provenance.sampling
    said = "" if sampling is None else sampling_in_words(sampling)
    return [*found, said] if said else found


def _counts(rows: Rows, question: Question) -> dict[str, int]:
    return {
        "patients": len(np.unique(rows.patient)),
        "rows": len(rows),
        "runs": len(rows.run_masks),
        "events": int((rows.event == question.cause).sum()),
        "competing": int(((rows.event > 0) & (rows.event != question.cause)).sum()),
        "censored": int((rows.event == 0).sum()),
    }


def _follow_up(rows: Rows, level: float) -> Estimate:
    """Median follow-up by reverse Kaplan-Meier (Schemper & Smith 1996)."""
    median, (low, high) = kaplan_meier(rows.time, rows.event == 0).median(level=level)
    if median is None:
        raise UndefinedMetricError("fewer than half of the rows would be censored by the last time")
    return Estimate(median, low, high, level, "reverse Kaplan-Meier, log-log")


def _threshold(model: ModelRows, question: Question, stated: float | None) -> dict[str, object]:
    rule = THRESHOLD_RULE if stated is None else STATED_THRESHOLD
    try:
        thresholds = chosen_thresholds(model, question, stated)
    except UndefinedMetricError as error:
        nothing: dict[str, object] = {"values": [], "rule": rule}
        return {"threshold": {**nothing, "reason": error.message}, "confusion": None}
    values = list(thresholds.values.values())
    return {
        "threshold": {"values": values, "rule": rule, "reason": ""},
        "confusion": confusion(model.test, question, thresholds),
    }


def _pairs(rows: Rows, question: Question) -> dict[str, float] | None:
    try:
        found = [
            pairs_of(rows.take(mask), question, "harrell", question.horizon)
            for mask in rows.run_masks
        ]
    except UndefinedMetricError:
        return None
    names = ("concordant", "discordant", "tied_risk", "tied_time", "tied_both")
    return {name: sum(getattr(part, name) for part in found) for name in names}


def _risk_groups(
    model: ModelRows, question: Question, settings: EvaluationSettings
) -> dict[str, object]:
    rule = RULE if settings.threshold is None else STATED
    try:
        groups = risk_groups(model, settings.threshold)
    except UndefinedMetricError as error:
        return {"reason": error.message, "rule": rule, "cuts": [], "groups": []}
    rows, level = model.test, settings.level
    day = question.horizon or settings.table_days
    ticks = _ticks(float(rows.time.max()))
    ratio = estimated(lambda: hazard_ratio(rows, groups, question.cause, level=level))
    parts = {"low": rows.take(~groups.high), "high": rows.take(groups.high)}
    table = [
        {"name": name, **outcome_counts(part, question.cause, day, level=level)}
        for name, part in parts.items()
    ]
    return {
        "reason": "",
        "rule": rule,
        "cuts": list(groups.cuts),
        "groups": [_group(name, part, question, ticks, settings) for name, part in parts.items()],
        "hazard_ratio": ratio.as_json(),
        "log_rank": group_test(rows, groups, question.cause),
        "proportional_hazards": proportionality(rows, groups, question.cause),
        "horizon_table": {"day": day, "rows": table},
    }


def _ticks(last: float) -> Float[np.ndarray, " time"]:
    """Days under a curve at which patients at risk are counted: whole years, seven at most."""
    years = last / 365.25
    if years < 1:
        return np.linspace(0, last, 3)
    return np.arange(0, np.floor(years) + 1, np.ceil((years + 1) / 7)) * 365.25


def _group(
    name: str,
    rows: Rows,
    question: Question,
    ticks: Float[np.ndarray, " time"],
    settings: EvaluationSettings,
) -> dict[str, object]:
    level, points = settings.level, settings.curve_points
    return {
        "name": name,
        "counts": _counts(rows, question),
        "curve": free_curve(rows, question.cause, level=level, points=points)
        if len(rows)
        else None,
        "at_risk": {"time": ticks.tolist(), "count": numbers_at_risk(rows, ticks)},
    }


def _landmarks(
    rows: Rows, question: Question, settings: EvaluationSettings
) -> list[dict[str, object]]:
    if not rows.number.any():
        return []
    resampler = Resampler(Resampling.asked(settings))
    found = []
    for number in range(int(rows.number.max()) + 1):
        part = rows.take(rows.number == number)
        events = int(question.cases(part).sum())

        measures: dict[str, Callable[[Rows], Estimate]] = {
            "auc": lambda part: auc_of(part, question, resampler).estimate,
            "brier": partial(_forecast_measure, "brier", question, settings, resampler),
            "observed_expected": partial(
                _forecast_measure, "observed_expected", question, settings, resampler
            ),
        }

        def enough(
            measure: Callable[[Rows], Estimate], part: Rows = part, events: int = events
        ) -> Estimate:
            if events < settings.minimum_events:
                raise UndefinedMetricError(
                    f"{events} events, fewer than the {settings.minimum_events} asked for"
                )
            return measure(part)

        estimates = {
            name: estimated(partial(enough, measure)) for name, measure in measures.items()
        }
        reason = estimates["auc"].reason
        entry = {"number": number, "counts": _counts(part, question), "reason": reason}
        metrics = {name: one.as_json() for name, one in estimates.items()}
        found.append({**entry, "metrics": metrics})
    return found


def _forecast_measure(
    name: str, question: Question, settings: EvaluationSettings, resampler: Resampler, rows: Rows
) -> Estimate:
    """The Brier score, or observed over expected, of some rows at the forecast's horizon."""
    made = forecast(rows, question, otherwise=settings.table_days)
    for mask in rows.run_masks:
        made.question.require(rows.take(mask))
    return measured(rows, calibration_measures(made)[name], resampler).estimate
