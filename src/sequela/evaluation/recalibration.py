"""The smooth relation of predicted to observed risk: calibration slope, curve, ICI."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from sequela.errors import UndefinedMetricError
from sequela.evaluation.calibration import Forecast
from sequela.evaluation.estimate import Estimate
from sequela.evaluation.rows import Rows
from sequela.survival.aalen_johansen import aalen_johansen
from sequela.survival.cox import fit_cox
from sequela.survival.normal import two_sided_p, two_sided_width

_KNOT_QUANTILES = (0.1, 0.5, 0.9)
_STEPS = 60
_TELLING = 1.0
"""Standard error from which a slope tells nothing: 0 is no relation, 1 is a right one. It is about
1 / (spread of the log hazards times the root of the events)."""
METHOD_ALONE = "Cox regression on a restricted cubic spline of cloglog predicted risk"
METHOD_COMPETING = "pseudo-value regression on a restricted cubic spline of cloglog predicted risk"


@dataclass(frozen=True)
class CalibrationCurve:
    """Smooth observed risk at each row's predicted risk.

    Attributes:
        predicted: Probability of the event by the horizon.
        observed: The smooth estimate of what happens to patients with that prediction.
        method: How it was made.
    """

    predicted: Float[np.ndarray, " row"]
    observed: Float[np.ndarray, " row"]
    method: str

    def indices(self) -> dict[str, float]:
        """ICI (mean), E50 (median), E90 and Emax of the absolute difference.

        Source: Austin & Steyerberg 2019; Austin et al. 2020 for censored times.
        """
        gap = np.abs(self.observed - self.predicted)
        return {
            "ici": float(gap.mean()),
            "e50": float(np.median(gap)),
            "e90": float(np.quantile(gap, 0.9)),
            "emax": float(gap.max()),
        }


def calibration_curve(
    rows: Rows, made: Forecast, counts: Int[np.ndarray, " row"] | None = None
) -> CalibrationCurve:
    """The smooth calibration curve, of the rows or of a resample of them.

    Args:
        rows: Judged rows.
        made: Which probability.
        counts: How often each row stands in the resample.

    Raises:
        UndefinedMetricError: If predictions do not vary, hardly anybody has the event, or
            follow-up ends before the horizon.

    Source: Austin, Harrell & van Klaveren 2020; with competing events Austin et al. 2022 by
    pseudo-values, as in Andersen & Pohar Perme 2010.
    """
    if counts is not None:
        rows = rows.take(np.repeat(np.arange(len(rows)), counts))
    _require_reach(rows, made)
    predicted = made.risk(rows)
    link = complementary_log_log(predicted)
    basis = spline_basis(link, np.quantile(link, _KNOT_QUANTILES))
    if _competing(rows, made).any():
        design = np.column_stack([np.ones(len(rows)), basis])
        observed = _risk_at(design @ _fit_pseudo(rows, made, design).coefficients)
        return CalibrationCurve(predicted, observed, METHOD_COMPETING)
    event = rows.event == made.question.cause
    model = fit_cox(basis, rows.time, event, entry=rows.late)
    survival = model.survival(basis, np.array([made.horizon]))[:, 0]
    return CalibrationCurve(predicted, 1 - survival, METHOD_ALONE)


def calibration_slope(rows: Rows, made: Forecast, *, level: float) -> Estimate:
    """How much observed log hazards change with predicted ones; 1 is right, below 1 is overfit.

    The interval is Wald's, robust to several rows a patient.

    Raises:
        UndefinedMetricError: If predictions do not vary, or so little that with these events its
            standard error is 1 or more; or hardly anybody has the event.

    Source: van Houwelingen 2000; with competing events pseudo-values, as `calibration_curve`.
    """
    _require_reach(rows, made)
    link = complementary_log_log(made.risk(rows))
    if np.ptp(link) <= 1e-9:
        raise UndefinedMetricError("predicted risks do not vary, so nothing can change with them")
    if _competing(rows, made).any():
        fit = _fit_pseudo(rows, made, np.column_stack([np.ones(len(rows)), link]))
        slope, spread = float(fit.coefficients[1]), float(np.sqrt(fit.variance[1, 1]))
    else:
        event = rows.event == made.question.cause
        cluster = None if rows.one_row_a_patient else rows.patient
        model = fit_cox(link[:, None], rows.time, event, entry=rows.late, cluster=cluster)
        slope, spread = float(model.coefficients[0]), float(model.standard_error[0])
    if not spread < _TELLING:
        raise UndefinedMetricError(
            f"predicted risks vary too little for so few events: the slope's standard error is "
            f"{spread:.2g}, no less than from no relation (0) to a right one (1)"
        )
    width = two_sided_width(level) * spread
    method = "Wald" if rows.one_row_a_patient else "Wald, robust by patient"
    p = two_sided_p((slope - 1) / spread)
    return Estimate(slope, slope - width, slope + width, level, method, p=p)


def complementary_log_log(risk: Float[np.ndarray, " row"]) -> Float[np.ndarray, " row"]:
    """log(-log(1 - risk)), a log cumulative hazard; exactly 0 and 1 count as 0.0001 and 0.9999.

    Source: Austin et al. 2020, appendix.
    """
    inside = np.where(risk <= 0, 1e-4, np.where(risk >= 1, 1 - 1e-4, risk))
    return np.log(-np.log1p(-inside))


def spline_basis(
    values: Float[np.ndarray, " row"], knots: Float[np.ndarray, " knot"]
) -> Float[np.ndarray, "row term"]:
    """Restricted cubic spline: linear term, then one term for each knot but two.

    Raises:
        UndefinedMetricError: If the knots fall together.

    Source: Harrell 2015, eq. 2.25; R Hmisc::rcspline.eval.
    """
    first, last, inner = knots[0], knots[-1], knots[-2]

    def cube(at: float) -> Float[np.ndarray, " row"]:
        return np.maximum(values - at, 0.0) ** 3

    if last <= inner or inner <= first:
        raise UndefinedMetricError("predicted risks vary too little for a smooth calibration curve")
    terms = [
        cube(knot)
        - cube(inner) * (last - knot) / (last - inner)
        + cube(last) * (inner - knot) / (last - inner)
        for knot in knots[:-2].tolist()
    ]
    return np.stack([values, *(term / (last - first) ** 2 for term in terms)], axis=1)


@dataclass(frozen=True)
class _PseudoFit:
    coefficients: Float[np.ndarray, " term"]
    variance: Float[np.ndarray, "term term"]


def _fit_pseudo(rows: Rows, made: Forecast, design: Float[np.ndarray, "row term"]) -> _PseudoFit:
    """Least squares of incidence pseudo-values with a complementary log-log link."""
    if rows.late is not None:
        raise UndefinedMetricError(
            "pseudo-values are not defined for patients who enter after their landmark"
        )
    day = np.array([made.horizon])
    curve = aalen_johansen(rows.time, rows.event, cause=made.question.cause)
    pseudo = curve.at(day)[0] + len(rows) * curve.influence(day)[:, 0]
    mean = float(np.clip(pseudo.mean(), 1e-6, 1 - 1e-6))
    coefficients = np.zeros(design.shape[1])
    coefficients[0] = np.log(-np.log1p(-mean))
    damping = 1e-8
    loss = float(((pseudo - _risk_at(design @ coefficients)) ** 2).sum())
    for _ in range(_STEPS):
        gradient, information = _normal_equations(pseudo, design, coefficients)
        ridge = damping * np.diag(np.diag(information) + 1e-12)
        stride = solved(information + ridge, gradient.sum(axis=0))
        there = float(((pseudo - _risk_at(design @ (coefficients + stride))) ** 2).sum())
        if there > loss:
            damping = max(damping * 10, 1e-4)
            continue
        coefficients, loss, damping = coefficients + stride, there, damping / 3
        if np.abs(stride).max() <= 1e-9 * (1 + np.abs(coefficients).max()):
            return _PseudoFit(coefficients, _sandwich(rows, pseudo, design, coefficients))
    raise UndefinedMetricError("the recalibration by pseudo-values does not converge")


def solved(
    information: Float[np.ndarray, "term term"], gradient: Float[np.ndarray, " term"]
) -> Float[np.ndarray, " term"]:
    """The step of a fit; where no step can be told, neither can what is fitted.

    Raises:
        UndefinedMetricError: If the equations are singular, as where nearly all risks are alike.
    """
    try:
        return np.linalg.solve(information, gradient)
    except np.linalg.LinAlgError:
        raise UndefinedMetricError(
            "predicted risks vary too little, or events are too few, to be recalibrated"
        ) from None


def _normal_equations(
    pseudo: Float[np.ndarray, " row"],
    design: Float[np.ndarray, "row term"],
    coefficients: Float[np.ndarray, " term"],
) -> tuple[Float[np.ndarray, "row term"], Float[np.ndarray, "term term"]]:
    predictor = design @ coefficients
    derivative = np.exp(np.clip(predictor - np.exp(np.clip(predictor, None, 5)), -50, 5))
    slopes = derivative[:, None] * design
    return slopes * (pseudo - _risk_at(predictor))[:, None], slopes.T @ slopes


def _sandwich(
    rows: Rows,
    pseudo: Float[np.ndarray, " row"],
    design: Float[np.ndarray, "row term"],
    coefficients: Float[np.ndarray, " term"],
) -> Float[np.ndarray, "term term"]:
    scores, information = _normal_equations(pseudo, design, coefficients)
    place = np.unique(rows.patient, return_inverse=True)[1]
    sums = np.zeros((int(place.max()) + 1, design.shape[1]))
    np.add.at(sums, place, scores)
    bread = np.linalg.pinv(information)
    return bread @ (sums.T @ sums) @ bread


def _risk_at(predictor: Float[np.ndarray, " row"]) -> Float[np.ndarray, " row"]:
    return -np.expm1(-np.exp(np.clip(predictor, None, 5)))


def _competing(rows: Rows, made: Forecast) -> Bool[np.ndarray, " row"]:
    other = (rows.event > 0) & (rows.event != made.question.cause)
    return other & (rows.time <= made.horizon)


def _require_reach(rows: Rows, made: Forecast) -> None:
    if not (rows.time >= made.horizon).any():
        raise UndefinedMetricError(
            f"no patient is followed to day {made.horizon:g}", hint="choose an earlier horizon"
        )
