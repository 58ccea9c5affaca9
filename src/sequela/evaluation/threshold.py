"""Yes or no at a threshold that validation patients chose."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from sequela.errors import UndefinedMetricError
from sequela.evaluation.outcome import Question
from sequela.evaluation.rows import ModelRows, Rows
from sequela.evaluation.uncertainty import Draw, Measure

RULE = "Youden's index on the validation rows of the same run; at or above is positive"
STATED = "stated by the owner of the predictions; at or above is positive"


@dataclass(frozen=True)
class Thresholds:
    """One threshold a run, by the run's index."""

    values: dict[int, float]

    def positive(self, rows: Rows) -> Bool[np.ndarray, " row"]:
        """Rows at or above their run's threshold."""
        return rows.risk >= np.array([self.values[int(run)] for run in rows.run])


def chosen_thresholds(
    model: ModelRows, question: Question, stated: float | None = None
) -> Thresholds:
    """The thresholds that maximise sensitivity + specificity on validation rows, or the stated one.

    Raises:
        UndefinedMetricError: If a run has no validation rows, or they lack cases or controls.
    """
    values = {}
    for run in np.unique(model.test.run).tolist():
        if stated is not None:
            values[run] = stated
            continue
        rows = model.validation.take(model.validation.run == run)
        if not len(rows):
            raise UndefinedMetricError(
                "a threshold is chosen on validation rows of the same run, found none, or stated "
                "(evaluation.threshold)",
                hint="write validation rows into the predictions table, or state a threshold",
            )
        question.require(rows)
        weights = question.weights(rows, np.ones((len(rows), 1)))[:, 0]
        case, control = question.cases(rows) * weights, question.controls(rows) * weights
        values[run] = youden(rows.risk, case, control)
    return Thresholds(values)


def youden(
    risk: Float[np.ndarray, " row"],
    case: Float[np.ndarray, " row"],
    control: Float[np.ndarray, " row"],
) -> float:
    """The threshold with the largest sensitivity + specificity, the lowest of equals.

    It lies halfway between two neighbouring risks.

    Args:
        risk: Higher is worse.
        case: How much each row counts as one with the event.
        control: How much it counts as one without.

    Raises:
        UndefinedMetricError: If all risks are equal, or all rows, or none, have the event.

    Source: Youden 1950; R pROC::coords(best.method = "youden").
    """
    values, place = np.unique(risk, return_inverse=True)
    if len(values) < 2:
        raise UndefinedMetricError("no threshold parts risks that are all equal")
    cases, controls = np.bincount(place, case), np.bincount(place, control)
    if not cases.any() or not controls.any():
        raise UndefinedMetricError("Youden's index needs rows with and without the event")
    missed = cases.cumsum()[:-1] / cases.sum()
    spared = controls.cumsum()[:-1] / controls.sum()
    best = int(np.argmax(np.round(spared - missed, 12)))
    return float((values[best] + values[best + 1]) / 2)


def threshold_measures(question: Question, thresholds: Thresholds) -> dict[str, Measure]:
    """Accuracy, sensitivity, specificity and predictive values, censored rows weighed for."""

    def shares(rows: Rows, draw: Draw) -> Float[np.ndarray, "4 resample"]:
        """Weight of true positives, false negatives, true negatives, false positives."""
        weights = draw.weights(question)
        case, control = question.cases(rows), question.controls(rows)
        positive = thresholds.positive(rows)
        cells = (case & positive, case & ~positive, control & ~positive, control & positive)
        return np.stack(cells).astype(float) @ weights

    def ratio(above: tuple[int, ...], below: tuple[int, ...]) -> Measure:
        def measure(rows: Rows, draw: Draw) -> Float[np.ndarray, " resample"]:
            cells = shares(rows, draw)
            whole = cells[list(below)].sum(axis=0)
            part = cells[list(above)].sum(axis=0)
            return np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)

        return measure

    return {
        "accuracy": ratio((0, 2), (0, 1, 2, 3)),
        "sensitivity": ratio((0,), (0, 1)),
        "specificity": ratio((2,), (2, 3)),
        "ppv": ratio((0,), (0, 3)),
        "npv": ratio((2,), (1, 2)),
    }


def confusion(rows: Rows, question: Question, thresholds: Thresholds) -> dict[str, int]:
    """Rows in each cell, unweighted; unknown are those whose status is not known."""
    case, control = question.cases(rows), question.controls(rows)
    positive = thresholds.positive(rows)
    return {
        "true_positive": int((case & positive).sum()),
        "false_negative": int((case & ~positive).sum()),
        "true_negative": int((control & ~positive).sum()),
        "false_positive": int((control & positive).sum()),
        "unknown": int((~case & ~control).sum()),
    }
