"""Maps that recalibrate predicted probabilities, fitted on validation rows and judged on test."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Float

from sequela.errors import UndefinedMetricError
from sequela.evaluation.calibration import Forecast, calibration_measures, forecast
from sequela.evaluation.estimate import Estimate, estimated
from sequela.evaluation.outcome import Question
from sequela.evaluation.recalibration import calibration_slope, solved
from sequela.evaluation.rows import ModelRows, Rows
from sequela.evaluation.settings import EvaluationSettings
from sequela.evaluation.uncertainty import Resampler, measured

_STEPS = 50
_EDGE = 1e-6
MapName = Literal["slope-intercept", "platt", "isotonic"]
MAPS: tuple[MapName, ...] = ("slope-intercept", "platt", "isotonic")


@dataclass(frozen=True)
class RiskMap:
    """From what a model predicts to the probability of the event, in plain numbers.

    Attributes:
        name: `slope-intercept` and `platt` give 1 / (1 + exp(-(intercept + slope x))), x being the
            logit of the predicted probability or the risk score; `isotonic` gives `y` at `x`, the
            predicted probability, and what lies between on straight lines.
        numbers: `intercept` and `slope`, or `x` and `y`.
    """

    name: MapName
    numbers: dict[str, list[float]]

    def apply(self, rows: Rows, made: Forecast) -> Float[np.ndarray, " row"]:
        """The recalibrated probability of the event of each row."""
        if self.name == "isotonic":
            return np.interp(made.risk(rows), self.numbers["x"], self.numbers["y"])
        intercept, slope = self.numbers["intercept"][0], self.numbers["slope"][0]
        return _logistic(intercept + slope * _input(self.name, rows, made))


def fit_map(name: MapName, rows: Rows, made: Forecast) -> RiskMap:
    """The map that fits some rows best, those censored before the horizon weighed for.

    Raises:
        UndefinedMetricError: If cases, controls or follow-up lack, or predictions part the cases
            from the controls so that no logistic curve fits.

    Source: Cox 1958 (slope and intercept); Platt 1999, eq. 8, with his smoothed targets; Zadrozny &
        Elkan 2002 (isotonic), by pooling adjacent violators (Ayer et al. 1955).
    """
    question = made.question
    question.require(rows)
    weights = question.weights(rows, np.ones((len(rows), 1)))[:, 0]
    case = question.cases(rows).astype(float)
    kept = weights > 0
    weights, case = weights[kept], case[kept]
    if name == "isotonic":
        x, y = pooled(made.risk(rows)[kept], case, weights)
        return RiskMap(name, {"x": x.tolist(), "y": y.tolist()})
    if name == "platt":
        cases, controls = float(weights @ case), float(weights @ (1 - case))
        case = np.where(case == 1, (cases + 1) / (cases + 2), 1 / (controls + 2))
    intercept, slope = _fit_logistic(_input(name, rows, made)[kept], case, weights)
    return RiskMap(name, {"intercept": [intercept], "slope": [slope]})


def pooled(
    values: Float[np.ndarray, " row"],
    target: Float[np.ndarray, " row"],
    weight: Float[np.ndarray, " row"],
) -> tuple[Float[np.ndarray, " knot"], Float[np.ndarray, " knot"]]:
    """The least-squares curve that never falls: its ends of level stretches and their heights."""
    knots, place = np.unique(values, return_inverse=True)
    mass = np.bincount(place, weight)
    height = np.bincount(place, weight * target) / mass
    blocks: list[tuple[float, float, int]] = []
    for level, heavy in zip(height.tolist(), mass.tolist(), strict=True):
        block = (level, heavy, 1)
        while blocks and blocks[-1][0] >= block[0]:
            lower, lighter, count = blocks.pop()
            total = lighter + block[1]
            block = ((lower * lighter + block[0] * block[1]) / total, total, count + block[2])
        blocks.append(block)
    ends = np.cumsum([count for _, _, count in blocks])
    starts = np.append(0, ends[:-1])
    both = np.stack([starts, ends - 1], axis=1).ravel()
    levels = np.repeat([level for level, _, _ in blocks], 2)
    single = np.append(np.diff(both) > 0, True)
    return knots[both[single]], levels[single]


def recalibrations(
    model: ModelRows, question: Question, settings: EvaluationSettings, resampler: Resampler
) -> dict[str, object]:
    """Each map with its numbers, and how test rows are calibrated before and after, as JSON."""
    rows = model.test
    try:
        made = forecast(rows, question, otherwise=settings.table_days)
        for mask in rows.run_masks:
            made.question.require(rows.take(mask))
        before = _judged(rows, made, settings, resampler)
    except UndefinedMetricError as error:
        return {"reason": error.message, "horizon": None, "before": None, "maps": []}
    maps = [_after(name, model, made, settings, resampler) for name in MAPS]
    return {"reason": "", "horizon": made.horizon, "before": before, "maps": maps}


def _after(
    name: MapName,
    model: ModelRows,
    made: Forecast,
    settings: EvaluationSettings,
    resampler: Resampler,
) -> dict[str, object]:
    survival = model.test.survival.copy()
    fitted = []
    try:
        for run in np.unique(model.test.run).tolist():
            rows = model.validation.take(model.validation.run == run)
            events = int(made.question.cases(rows).sum())
            if events < settings.minimum_events:
                raise UndefinedMetricError(
                    f"a map is fitted on validation rows of the same run, with "
                    f"{settings.minimum_events} events or more; found {events}",
                    hint="write validation rows into the predictions table",
                )
            fitted.append(fit_map(name, rows, _on(rows, made)))
            own = model.test.run == run
            survival[own, made.column] = 1 - fitted[-1].apply(model.test.take(own), made)
    except UndefinedMetricError as error:
        return {"name": name, "numbers": [], "after": None, "reason": error.message}
    after = _judged(replace(model.test, survival=survival), made, settings, resampler)
    numbers = [one.numbers for one in fitted]
    return {"name": name, "numbers": numbers, "after": after, "reason": ""}


def _on(rows: Rows, made: Forecast) -> Forecast:
    """The same forecast where it stands among the columns of other rows."""
    column = rows.grid.index(made.horizon)
    if not np.isfinite(rows.survival[:, column]).all():
        raise UndefinedMetricError(
            f"validation rows store no survival probability at day {made.horizon:g}"
        )
    return replace(made, column=column)


def _judged(
    rows: Rows, made: Forecast, settings: EvaluationSettings, resampler: Resampler
) -> dict[str, object]:
    measures = calibration_measures(made)

    def of(name: str) -> Estimate:
        return measured(rows, measures[name], resampler).estimate

    found = {name: estimated(lambda name=name: of(name)) for name in ("brier", "observed_expected")}  # type: ignore[misc]
    slope = estimated(lambda: calibration_slope(rows, made, level=settings.level))
    return {name: one.as_json() for name, one in (*found.items(), ("calibration_slope", slope))}


def _input(name: MapName, rows: Rows, made: Forecast) -> Float[np.ndarray, " row"]:
    if name == "platt":
        return rows.risk
    risk = np.clip(made.risk(rows), _EDGE, 1 - _EDGE)
    return np.log(risk) - np.log1p(-risk)


def _fit_logistic(
    x: Float[np.ndarray, " row"],
    target: Float[np.ndarray, " row"],
    weight: Float[np.ndarray, " row"],
) -> tuple[float, float]:
    """Weighted maximum likelihood of a logistic curve through targets from 0 to 1, by Newton."""
    centre, spread = float(x.mean()), float(x.std())
    if spread <= 1e-9:
        raise UndefinedMetricError("predictions do not vary, so nothing can be mapped")
    design = np.stack([np.ones(len(x)), (x - centre) / spread], axis=1)
    coefficients = np.zeros(2)
    for _ in range(_STEPS):
        mean = _logistic(design @ coefficients)
        gradient = design.T @ (weight * (target - mean))
        information = (design * (weight * mean * (1 - mean))[:, None]).T @ design
        stride = solved(information + 1e-12 * np.eye(2), gradient)
        stride *= min(1.0, 2.0 / max(float(np.abs(stride).max()), 1e-300))
        coefficients = coefficients + stride
        if np.abs(coefficients).max() > 30:
            break
        if np.abs(stride).max() < 1e-10:
            slope = float(coefficients[1]) / spread
            return float(coefficients[0]) - slope * centre, slope
    raise UndefinedMetricError("predictions part cases from controls: no logistic curve fits them")


def _logistic(values: Float[np.ndarray, " row"]) -> Float[np.ndarray, " row"]:
    return 1 / (1 + np.exp(-np.clip(values, -500, 500)))
