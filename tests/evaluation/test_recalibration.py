from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from sequela.errors import UndefinedMetricError
from sequela.evaluation.calibration import (
    Forecast,
    calibration_groups,
    calibration_measures,
    forecast,
)
from sequela.evaluation.outcome import Question
from sequela.evaluation.recalibration import (
    METHOD_ALONE,
    METHOD_COMPETING,
    calibration_curve,
    calibration_slope,
    solved,
    spline_basis,
)
from sequela.evaluation.rows import Rows
from sequela.evaluation.uncertainty import Draw, Resampling
from sequela.evaluation.utility import decision_curve, net_benefit

DAY = 365.0
MADE = Forecast(Question(1, DAY), 0)


def perfect(
    rows_of: Callable[..., Rows], *, competing: float = 0.0, count: int = 3000, bend: float = 1.0
) -> Rows:
    """Patients whose predicted risk is the true one, its log hazard stretched by `bend`."""
    generator = np.random.default_rng(4)
    lift = generator.normal(size=count)
    hazard = np.exp(0.8 * lift) / 600
    times = generator.exponential(1 / hazard)
    other = generator.exponential(1 / max(competing, 1e-12), count)
    censor = generator.uniform(100, 900, count)
    first = np.minimum(np.minimum(times, other), censor)
    event = np.where(first == times, 1, np.where(first == other, 2, 0))
    all_hazards = hazard + competing
    risk = hazard / all_hazards * -np.expm1(-all_hazards * DAY)
    link = np.log(-np.log1p(-risk))
    stretched = -np.expm1(-np.exp(link.mean() + bend * (link - link.mean())))
    return rows_of(first, event, stretched, survival=1 - stretched[:, None], grid=(DAY,))


@pytest.mark.parametrize(("competing", "method"), [(0.0, METHOD_ALONE), (5e-4, METHOD_COMPETING)])
def test_true_risks_are_found_calibrated(
    rows_of: Callable[..., Rows], competing: float, method: str
) -> None:
    rows = perfect(rows_of, competing=competing)
    slope = calibration_slope(rows, MADE, level=0.999)
    assert slope.low < 1 < slope.high
    assert slope.high - slope.low < 0.4
    curve = calibration_curve(rows, MADE)
    assert curve.method == method
    assert curve.indices()["ici"] < 0.02
    ratio = calibration_measures(MADE)["observed_expected"]
    assert ratio(rows, Draw(rows, np.ones((len(rows), 1))))[0] == pytest.approx(1, abs=0.06)
    groups = calibration_groups(rows, MADE, count=5, level=0.999)
    inside = [
        low < predicted < high
        for low, predicted, high in zip(
            groups["low"], groups["predicted"], groups["high"], strict=True
        )
    ]
    assert all(inside)
    assert sum(groups["rows"]) == len(rows)


@pytest.mark.parametrize("competing", [0.0, 5e-4])
def test_predictions_too_extreme_have_a_slope_below_one(
    rows_of: Callable[..., Rows], competing: float
) -> None:
    rows = perfect(rows_of, competing=competing, bend=2.0)
    assert calibration_slope(rows, MADE, level=0.95).value == pytest.approx(0.5, abs=0.08)
    assert calibration_curve(rows, MADE).indices()["ici"] > 0.05


def test_a_resample_is_its_rows_written_out(rows_of: Callable[..., Rows]) -> None:
    rows = perfect(rows_of, count=300, competing=5e-4)
    counts = np.random.default_rng(0).integers(0, 3, size=300)
    written = rows.take(np.repeat(np.arange(300), counts))
    assert (
        calibration_curve(rows, MADE, counts).indices()
        == calibration_curve(written, MADE).indices()
    )


def test_the_spline_is_straight_outside_its_knots_and_smooth_within() -> None:
    x = np.linspace(-5, 5, 2001)
    basis = spline_basis(x, np.array([-1.0, 0.0, 2.0]))
    bend = np.diff(basis[:, 1], 2)
    assert np.abs(bend[x[1:-1] < -1.01]).max() == 0
    assert np.abs(bend[x[1:-1] > 2.01]).max() < 1e-10
    assert np.abs(np.diff(bend)).max() < 1e-6


def test_the_forecast_is_the_stored_one_at_the_horizon(rows_of: Callable[..., Rows]) -> None:
    survival = np.full((3, 2), 0.5)
    rows = rows_of(
        np.ones(3), np.ones(3, dtype=int), np.zeros(3), survival=survival, grid=(365.0, 1826.0)
    )
    assert forecast(rows, Question(1, 365.25), otherwise=1.0).horizon == 365.0
    assert forecast(rows, Question(1, None), otherwise=1500.0).horizon == 1826.0
    with pytest.raises(UndefinedMetricError, match="day 700"):
        forecast(rows, Question(1, 700.0), otherwise=1.0)
    without = rows_of(np.ones(3), np.ones(3, dtype=int), np.zeros(3))
    with pytest.raises(UndefinedMetricError, match="no survival"):
        forecast(without, Question(1, None), otherwise=1.0)


@pytest.mark.parametrize("competing", [0.0, 5e-4])
def test_predictions_that_do_not_vary_have_neither_curve_nor_slope(
    rows_of: Callable[..., Rows], competing: float
) -> None:
    rows = perfect(rows_of, count=100, competing=competing)
    flat = rows_of(rows.time, rows.event, rows.risk, survival=np.full((100, 1), 0.5), grid=(DAY,))
    with pytest.raises(UndefinedMetricError, match="vary too little"):
        calibration_curve(flat, MADE)
    with pytest.raises(UndefinedMetricError, match="do not vary"):
        calibration_slope(flat, MADE, level=0.95)


@pytest.mark.parametrize("competing", [0.0, 5e-4])
def test_risks_nearly_alike_have_a_slope_only_where_events_are_many(
    rows_of: Callable[..., Rows], competing: float
) -> None:
    many = perfect(rows_of, competing=competing, bend=0.1)
    assert calibration_slope(many, MADE, level=0.95).value == pytest.approx(10, rel=0.2)
    with pytest.raises(UndefinedMetricError, match="standard error"):
        calibration_slope(many.take(np.arange(150)), MADE, level=0.95)


def test_the_null_model_has_no_accuracy_and_certain_truth_has_all(
    rows_of: Callable[..., Rows],
) -> None:
    time, event = np.array([1.0, 2.0, 500.0, 600.0]), np.array([1, 1, 0, 0])
    ones = np.ones((4, 1))
    for survival, brier, ipa in (([1.0, 1.0, 0.0, 0.0], 1.0, -3.0), ([0.0, 0.0, 1.0, 1.0], 0, 1)):
        rows = rows_of(time, event, np.zeros(4), survival=np.array(survival)[:, None], grid=(DAY,))
        measures = calibration_measures(MADE)
        assert measures["brier"](rows, Draw(rows, ones))[0] == brier
        assert measures["brier_null"](rows, Draw(rows, ones))[0] == pytest.approx(0.25)
        assert measures["ipa"](rows, Draw(rows, ones))[0] == pytest.approx(ipa)


def test_treating_nobody_gains_nothing_and_everybody_the_incidence_less_the_harm(
    rows_of: Callable[..., Rows],
) -> None:
    rows = perfect(rows_of, competing=5e-4, count=500)
    assert net_benefit(np.zeros(500), 0.3, rows, MADE) == 0.0
    curve = decision_curve(rows, MADE, (0.05, 0.3, 0.999), Resampling(20, 0, 0.95))
    assert curve["treat_none"] == [0.0, 0.0, 0.0]
    assert curve["model"][2] == 0.0
    assert curve["treat_all"][1] < curve["treat_all"][0]
    assert curve["model"][1] > max(curve["treat_all"][1], 0)


def test_singular_equations_are_undefined_and_no_fault() -> None:
    with pytest.raises(UndefinedMetricError, match="vary too little"):
        solved(np.ones((2, 2)), np.ones(2))
    assert solved(2 * np.eye(2), np.ones(2)) == pytest.approx([0.5, 0.5])
