"""Whether predicted probabilities come true: Brier score, observed against expected, groups."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from sequela.errors import UndefinedMetricError
from sequela.evaluation.outcome import Question
from sequela.evaluation.rows import Rows
from sequela.evaluation.uncertainty import Draw, Measure
from sequela.survival.aalen_johansen import aalen_johansen

_SAME_DAY = 0.5


@dataclass(frozen=True)
class Forecast:
    """Which predicted probability is judged: that of the event by a grid time.

    Attributes:
        question: The cause, and the grid time as horizon.
        column: Which column of `Rows.survival`.
    """

    question: Question
    column: int

    def risk(self, rows: Rows) -> Float[np.ndarray, " row"]:
        """Predicted probability of the event by the horizon."""
        return 1 - rows.survival[:, self.column]

    @property
    def horizon(self) -> float:
        """The day by which the event is predicted."""
        assert self.question.horizon is not None  # noqa: S101
        return self.question.horizon


def forecast(rows: Rows, question: Question, *, otherwise: float) -> Forecast:
    """The stored probability that belongs to the question's horizon.

    Without a horizon, the grid time nearest to the day `otherwise`.

    Raises:
        UndefinedMetricError: If no survival probability is stored, or none at the horizon.
    """
    wanted = otherwise if question.horizon is None else question.horizon
    grid = np.array(rows.grid)
    known = np.isfinite(rows.survival).all(axis=0) & (grid > 0)
    if not known.any():
        raise UndefinedMetricError("the predictions store no survival probabilities")
    usable = np.flatnonzero(known)
    nearest = int(usable[np.argmin(np.abs(grid[usable] - wanted))])
    if question.horizon is not None and abs(grid[nearest] - wanted) > _SAME_DAY:
        raise UndefinedMetricError(
            f"the predictions store no survival probability at day {wanted:g}",
            hint="predict with that day in the time grid",
        )
    return Forecast(Question(question.cause, float(grid[nearest])), nearest)


def calibration_measures(made: Forecast) -> dict[str, Measure]:
    """Brier score, that of the null model, IPA and observed/expected, in every resample.

    The null model gives everybody the Aalen-Johansen (one cause: Kaplan-Meier) incidence, which the
    inverse probability weighted share of cases equals.

    Source: Graf et al. 1999; Kattan & Gerds 2018; Satten & Datta 2001.
    """

    def squares(
        rows: Rows, draw: Draw, risk: Float[np.ndarray, "#row #resample"]
    ) -> Float[np.ndarray, " resample"]:
        weights = draw.weights(made.question)
        case = made.question.cases(rows).astype(float)[:, None]
        return (weights * (case - risk) ** 2).sum(axis=0) / draw.counts.sum(axis=0)

    def incidence(rows: Rows, draw: Draw) -> Float[np.ndarray, " resample"]:
        weights = draw.weights(made.question)
        return (weights * made.question.cases(rows)[:, None]).sum(axis=0) / draw.counts.sum(axis=0)

    def brier(rows: Rows, draw: Draw) -> Float[np.ndarray, " resample"]:
        return squares(rows, draw, made.risk(rows)[:, None])

    def brier_null(rows: Rows, draw: Draw) -> Float[np.ndarray, " resample"]:
        return squares(rows, draw, incidence(rows, draw)[None, :])

    def ipa(rows: Rows, draw: Draw) -> Float[np.ndarray, " resample"]:
        null = brier_null(rows, draw)
        share = np.divide(brier(rows, draw), null, out=np.full(len(null), np.nan), where=null > 0)
        return 1 - share

    def observed_expected(rows: Rows, draw: Draw) -> Float[np.ndarray, " resample"]:
        # Patients who enter late are no sample of all; their weights make them one.
        among = draw.counts if rows.late is None else draw.weights(made.question)
        expected = made.risk(rows) @ among / among.sum(axis=0)
        observed = incidence(rows, draw)
        return np.divide(observed, expected, out=np.full(len(expected), np.nan), where=expected > 0)

    return {
        "brier": brier,
        "brier_null": brier_null,
        "ipa": ipa,
        "observed_expected": observed_expected,
    }


def integrated_brier(
    time: Float[np.ndarray, " patient"],
    event: Bool[np.ndarray, " patient"],
    survival: Float[np.ndarray, "patient moment"],
    moments: Float[np.ndarray, " moment"],
    *,
    until: float,
) -> float:
    """The mean Brier score from day 0 to `until`, the curves being steps at `moments`.

    Args:
        time: Days to event or last contact.
        event: True where the event was observed.
        survival: Predicted, from each moment on; before the first moment it is 1.
        moments: Where the curves step, ascending.
        until: The last day.

    Source: Graf et al. 1999; R pec::crps.
    """
    knots = np.unique(np.concatenate([[0.0], moments, time[time < until]]))
    knots = knots[knots < until]
    ones = np.ones((len(time), 1))
    padded = np.concatenate([ones, survival], axis=1)
    place = np.searchsorted(moments, knots, side="right")
    scores = np.empty(len(knots))
    for number, knot in enumerate(knots.tolist()):
        weights = Question(1, knot).weights_of(time, event.astype(np.int64), ones)[:, 0]
        alive = (time > knot).astype(float)
        scores[number] = np.mean(weights * (alive - padded[:, place[number]]) ** 2)
    return float((scores * np.diff(np.append(knots, until))).sum() / until)


def calibration_groups(
    rows: Rows, made: Forecast, *, count: int, level: float
) -> dict[str, list[float | None]]:
    """Mean predicted against observed incidence in groups of ascending predicted risk.

    Observed is Aalen-Johansen (one cause: one minus Kaplan-Meier) at the horizon, its interval
    from the jackknife over patients.
    """
    risk = made.risk(rows)
    edges = np.quantile(risk, np.linspace(0, 1, count + 1)[1:-1])
    group = np.searchsorted(np.unique(edges), risk, side="right")
    day = np.array([made.horizon])
    points: dict[str, list[float | None]] = {
        name: [] for name in ("predicted", "observed", "low", "high", "rows")
    }
    for number in np.unique(group):
        inside = group == number
        part, cause = rows.take(inside), made.question.cause
        curve = aalen_johansen(part.time, part.event, cause=cause, entry=part.late)
        low, high = curve.interval(day, level=level, cluster=part.patient)
        reached = bool((part.time >= made.horizon).any())
        values = (curve.at(day)[0], low[0], high[0])
        known = [float(value) if reached and np.isfinite(value) else None for value in values]
        points["predicted"].append(float(risk[inside].mean()))
        points["rows"].append(int(inside.sum()))
        for name, value in zip(("observed", "low", "high"), known, strict=True):
            points[name].append(value)
    return points
