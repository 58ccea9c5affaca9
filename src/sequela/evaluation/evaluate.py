"""From predictions to every number of the report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from sequela.errors import UndefinedMetricError
from sequela.evaluation.discrimination import weighted_auc
from sequela.evaluation.estimate import Estimate, estimated
from sequela.evaluation.outcome import Question
from sequela.evaluation.predictions import Predictions
from sequela.evaluation.rows import ModelRows, Rows, models_of
from sequela.evaluation.settings import EvaluationSettings
from sequela.evaluation.stratification import numbers_at_risk, risk_groups, survival_curve
from sequela.evaluation.uncertainty import Resampling, bootstrapped

FORMAT = "sequela-evaluation"
VERSION = 1

Measure = Callable[[Rows, Float[np.ndarray, "row resample"]], Float[np.ndarray, " resample"]]


@dataclass(frozen=True)
class Evaluation:
    """Every number about some predictions, laid out as docs/evaluation-json.md says."""

    content: dict[str, object]

    def as_json(self) -> dict[str, object]:
        """What `evaluation.json` holds: plain values, null where a number is undefined."""
        return self.content


def evaluate(predictions: Sequence[Predictions], settings: EvaluationSettings) -> Evaluation:
    """Judge every model in the tables on its test or external rows.

    A metric is computed within each run (repeat, fold, seed) and averaged over runs; resamples draw
    whole patients. A number that does not exist is null and says why.

    Raises:
        DataError: If a table does not keep the contract.
    """
    models = models_of(predictions)
    return Evaluation(
        {
            "format": FORMAT,
            "version": VERSION,
            "settings": settings.model_dump(mode="json"),
            "models": [_model(model, settings) for model in models],
        }
    )


def _model(model: ModelRows, settings: EvaluationSettings) -> dict[str, object]:
    question = Question(
        model.provenance.cause,
        model.provenance.horizon if settings.horizon is None else settings.horizon,
    )
    rows = model.test
    return {
        "name": model.name,
        "model": model.model,
        "variant": model.variant,
        "endpoint": model.endpoint,
        "split": model.split,
        "provenance": model.provenance.model_dump(mode="json"),
        "horizon": question.horizon,
        "definition": question.in_words(),
        "counts": _counts(rows, question),
        "metrics": {"auc": estimated(lambda: _auc(rows, question, settings)).as_json()},
        "risk_groups": _risk_groups(model, question, settings),
    }


def _counts(rows: Rows, question: Question) -> dict[str, int]:
    return {
        "patients": len(np.unique(rows.patient)),
        "rows": len(rows),
        "runs": len(rows.run_masks),
        "events": int((rows.event == question.cause).sum()),
        "competing": int(((rows.event > 0) & (rows.event != question.cause)).sum()),
        "censored": int((rows.event == 0).sum()),
    }


def _auc(rows: Rows, question: Question, settings: EvaluationSettings) -> Estimate:
    def measure(
        part: Rows, counts: Float[np.ndarray, "row resample"]
    ) -> Float[np.ndarray, " resample"]:
        weights = question.weights(part, counts)
        case, control = question.cases(part), question.controls(part)
        return weighted_auc(part.risk, weights * case[:, None], weights * control[:, None])

    for mask in rows.run_masks:
        question.require(rows.take(mask))
    return measured(rows, measure, settings)


def measured(rows: Rows, measure: Measure, settings: EvaluationSettings) -> Estimate:
    """A measure averaged over runs, with its interval over patients."""

    def averaged(counts: Float[np.ndarray, "row resample"]) -> Float[np.ndarray, " resample"]:
        drawn: Float[np.ndarray, " resample"] = np.mean(
            [measure(rows.take(mask), counts[mask]) for mask in rows.run_masks], axis=0
        )
        return drawn

    value = float(averaged(np.ones((len(rows), 1)))[0])
    resampling = Resampling(settings.bootstraps, settings.seed, settings.level)
    return bootstrapped(averaged, rows.patient, value, resampling)


def _risk_groups(
    model: ModelRows, question: Question, settings: EvaluationSettings
) -> dict[str, object]:
    try:
        groups = risk_groups(model)
    except UndefinedMetricError as error:
        return {"reason": error.message, "cuts": [], "groups": []}
    ticks = np.linspace(0, float(model.test.time.max()), 6)
    masks = {"low": ~groups.high, "high": groups.high}
    return {
        "reason": "",
        "rule": "at or above the median risk of the validation rows is high",
        "cuts": list(groups.cuts),
        "groups": [
            _group(name, model.test.take(mask), question, ticks, settings)
            for name, mask in masks.items()
        ],
    }


def _group(
    name: str,
    rows: Rows,
    question: Question,
    ticks: Float[np.ndarray, " time"],
    settings: EvaluationSettings,
) -> dict[str, object]:
    curve = (
        survival_curve(rows, question.cause, level=settings.level, points=settings.curve_points)
        if len(rows)
        else None
    )
    return {
        "name": name,
        "counts": _counts(rows, question),
        "curve": curve,
        "at_risk": {"time": ticks.tolist(), "count": numbers_at_risk(rows, ticks)},
    }
