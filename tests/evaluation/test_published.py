"""What R's riskRegression, pec, survival and rms compute on published data, and ours beside it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from sequela.evaluation.auc_influence import auc_standard_error
from sequela.evaluation.calibration import Forecast, calibration_measures, integrated_brier
from sequela.evaluation.discrimination import auc_measure
from sequela.evaluation.outcome import Question
from sequela.evaluation.recalibration import (
    calibration_curve,
    calibration_slope,
    complementary_log_log,
)
from sequela.evaluation.rows import Rows
from sequela.evaluation.uncertainty import Draw, Measure
from sequela.evaluation.utility import net_benefit
from sequela.survival.aalen_johansen import aalen_johansen
from sequela.survival.concordance import concordance
from sequela.survival.cox import Cox, fit_cox
from sequela.survival.kaplan_meier import kaplan_meier

RELATIVE = 1e-9
SETTLED = 5e-9  # R's own coefficients of this model are converged to some 1e-7 only
YEAR = 365.25


def number(series: pl.Series) -> np.ndarray:
    return series.cast(pl.Float64).to_numpy()


def value(measure: Measure, rows: Rows) -> float:
    return float(measure(rows, Draw(rows, np.ones((len(rows), 1))))[0])


@dataclass(frozen=True)
class Judged:
    """A Cox model and the patients it is judged on."""

    model: Cox
    covariates: np.ndarray
    rows: Rows

    def forecast(self, day: float) -> Forecast:
        return Forecast(Question(1, day), self.rows.grid.index(day))

    def measure(self, name: str, day: float) -> float:
        made = self.forecast(day)
        measures = {**calibration_measures(made), "auc": auc_measure(made.question)}
        return value(measures[name], self.rows)


@pytest.fixture(scope="module")
def german(shared_data: Path, rows_of: Callable[..., Rows]) -> Judged:
    """GBSG2 and a Cox model of six covariates, judged on its own patients."""
    table = pl.read_csv(shared_data / "survival" / "gbsg2.csv")
    names = ("age", "tsize", "pnodes", "progrec", "estrec")
    hormone = number(table["horTh"] == "yes")
    covariates = np.column_stack([*(number(table[name]) for name in names), hormone])
    time, event = number(table["time"]), table["cens"].to_numpy()
    model = fit_cox(covariates, time, event == 1)
    grid = (365.0, 730.0, 1095.0, 1460.0, 1825.0)
    survival = model.survival(covariates, np.array(grid))
    rows = rows_of(time, event, model.predictor(covariates), survival=survival, grid=grid)
    return Judged(model, covariates, rows)


@pytest.mark.parametrize("day", [365.0, 730.0, 1095.0, 1460.0, 1825.0])
@pytest.mark.parametrize(
    ("name", "measure"),
    [("brier_ipcw.cox6", "brier"), ("brier_ipcw.null", "brier_null"), ("auc_t.cox6", "auc")],
)
def test_brier_and_dynamic_auc_are_those_of_risk_regression(
    german: Judged, shared_reference: Path, name: str, measure: str, day: float
) -> None:
    published = json.loads((shared_reference / "published.json").read_text())
    expected = {entry["id"]: entry["value"] for entry in published}[f"gbsg2.{name}.t{day:.0f}"]
    assert german.measure(measure, day) == pytest.approx(expected, rel=SETTLED)


@pytest.mark.parametrize("day", [365.0, 730.0, 1095.0, 1460.0, 1825.0])
def test_the_standard_error_of_dynamic_auc_is_that_of_risk_regression(
    german: Judged, shared_reference: Path, day: float
) -> None:
    published = json.loads((shared_reference / "published.json").read_text())
    expected = {entry["id"]: entry["value"] for entry in published}
    rows = german.rows
    ours = auc_standard_error(rows.risk, rows.time, rows.event, Question(1, day))
    assert ours == pytest.approx(expected[f"gbsg2.auc_t.cox6.t{day:.0f}.se"], rel=SETTLED)


def test_the_integrated_brier_score_is_that_of_pec(german: Judged, shared_reference: Path) -> None:
    published = json.loads((shared_reference / "published.json").read_text())
    expected = {entry["id"]: entry["value"] for entry in published}
    time, event = german.rows.time, german.rows.event == 1
    moments = german.model.baseline_time
    cox = german.model.survival(german.covariates, moments)
    curve = kaplan_meier(time, event)
    null = np.tile(curve.survival, (len(time), 1))
    ours = {
        "cox6": integrated_brier(time, event, cox, moments, until=1825.0),
        "KM": integrated_brier(time, event, null, curve.time, until=1825.0),
    }
    for name, score in ours.items():
        assert score == pytest.approx(expected[f"gbsg2.ibs0_1825.{name}"], rel=SETTLED), name


@pytest.fixture(scope="module")
def rotterdam(shared_data: Path) -> dict[str, np.ndarray]:
    """Recurrence or death; a death after recurrence-free follow-up had ended is not counted."""
    table = pl.read_csv(shared_data / "survival" / "rotterdam.csv", infer_schema_length=None)
    recurred, died = number(table["recur"]) == 1, number(table["death"]) == 1
    followed, lived = number(table["rtime"]), number(table["dtime"])
    unseen = ~recurred & died & (followed < lived)
    return {
        "covariates": np.column_stack(
            [
                number(table["age"]),
                number(table["meno"]),
                number(table["size"] != "<=20"),
                np.minimum(number(table["nodes"]), 12),
                number(table["grade"]),
            ]
        ),
        "time": np.where(recurred | unseen, followed, lived),
        "event": (recurred | died) & ~unseen,
        "first_time": np.where(recurred, followed, lived),
        "first_event": np.where(recurred, 1, np.where(died, 2, 0)),
    }


@pytest.fixture(scope="module")
def external(
    rotterdam: dict[str, np.ndarray], shared_data: Path, rows_of: Callable[..., Rows]
) -> Judged:
    """The Cox model of Rotterdam, judged on the German trial."""
    table = pl.read_csv(shared_data / "survival" / "gbsg.csv")
    model = fit_cox(rotterdam["covariates"], rotterdam["time"], rotterdam["event"])
    covariates = np.column_stack(
        [
            number(table["age"]),
            number(table["meno"]),
            number(table["size"] > 20),
            np.minimum(number(table["nodes"]), 12),
            number(table["grade"]),
        ]
    )
    grid = (2 * YEAR, 5 * YEAR)
    rows = rows_of(
        number(table["rfstime"]),
        table["status"].to_numpy(),
        model.predictor(covariates),
        survival=model.survival(covariates, np.array(grid)),
        grid=grid,
    )
    return Judged(model, covariates, rows)


EXTERNAL: dict[str, Callable[[Judged], object]] = {
    "coef": lambda it: it.model.coefficients,
    "loglik0": lambda it: it.model.null_log_likelihood,
    "loglik1": lambda it: it.model.log_likelihood,
    "C_ext[n]": lambda it: concordance(it.rows.time, it.rows.event == 1, it.rows.risk).value,
    "C_ext[n/G2]": lambda it: (
        concordance(it.rows.time, it.rows.event == 1, it.rows.risk, pairs="uno").value
    ),
    "auc_2y_5y": lambda it: [it.measure("auc", day) for day in it.rows.grid],
    "brier_2y_5y": lambda it: [it.measure("brier", day) for day in it.rows.grid],
    "brier_null_2y_5y": lambda it: [it.measure("brier_null", day) for day in it.rows.grid],
    "ipa_2y_5y": lambda it: [it.measure("ipa", day) for day in it.rows.grid],
    "calibration_slope": lambda it: (
        calibration_slope(it.rows, it.forecast(5 * YEAR), level=0.95).value
    ),
    "mean_pred_5y": lambda it: it.forecast(5 * YEAR).risk(it.rows).mean(),
    "km_risk_5y": lambda it: (
        1 - kaplan_meier(it.rows.time, it.rows.event == 1).at(np.array([5 * YEAR]))[0]
    ),
    "OE_5y": lambda it: it.measure("observed_expected", 5 * YEAR),
    "ICI_5y": lambda it: calibration_curve(it.rows, it.forecast(5 * YEAR)).indices()["ici"],
    "E50_5y": lambda it: calibration_curve(it.rows, it.forecast(5 * YEAR)).indices()["e50"],
    "E90_5y": lambda it: calibration_curve(it.rows, it.forecast(5 * YEAR)).indices()["e90"],
    "Emax_5y": lambda it: calibration_curve(it.rows, it.forecast(5 * YEAR)).indices()["emax"],
    "ici_knots": lambda it: np.quantile(
        complementary_log_log(it.forecast(5 * YEAR).risk(it.rows)), [0.1, 0.5, 0.9]
    ),
    "net_benefit_5y_0.3": lambda it: benefit(it, 0.3),
    "net_benefit_5y_0.5": lambda it: benefit(it, 0.5),
    "net_benefit_all_5y_0.3": lambda it: benefit(it, 0.3, everybody=True),
    "net_benefit_all_5y_0.5": lambda it: benefit(it, 0.5, everybody=True),
}
INCIDENCE = {"aj_recurrence_5y_10y": 1, "aj_death_5y_10y": 2}


def test_the_standard_error_of_the_external_auc_is_that_of_risk_regression(
    external: Judged, shared_reference: Path
) -> None:
    content = json.loads((shared_reference / "rotterdam-to-gbsg.json").read_text())
    rows = external.rows
    ours = [
        auc_standard_error(rows.risk, rows.time, rows.event, Question(1, day)) for day in rows.grid
    ]
    np.testing.assert_allclose(ours, content["auc_se_2y_5y"], rtol=RELATIVE)


def benefit(it: Judged, threshold: float, *, everybody: bool = False) -> float:
    made = it.forecast(5 * YEAR)
    risk = np.ones(len(it.rows)) if everybody else made.risk(it.rows)
    return net_benefit(risk, threshold, it.rows, made)


@pytest.mark.parametrize("name", list(EXTERNAL))
def test_the_external_validation_is_that_of_r(
    external: Judged, shared_reference: Path, name: str
) -> None:
    expected = json.loads((shared_reference / "rotterdam-to-gbsg.json").read_text())[name]
    if isinstance(expected, dict):
        expected = list(expected.values())
    np.testing.assert_allclose(EXTERNAL[name](external), expected, rtol=RELATIVE)


@pytest.mark.parametrize("name", list(INCIDENCE))
def test_cumulative_incidence_is_that_of_r(
    rotterdam: dict[str, np.ndarray], shared_reference: Path, name: str
) -> None:
    expected = json.loads((shared_reference / "rotterdam-to-gbsg.json").read_text())[name]
    time, event = rotterdam["first_time"], rotterdam["first_event"]
    ours = aalen_johansen(time, event, cause=INCIDENCE[name]).at(np.array([5, 10]) * YEAR)
    np.testing.assert_allclose(ours, expected, rtol=RELATIVE)


def test_one_minus_kaplan_meier_is_the_biased_one(
    rotterdam: dict[str, np.ndarray], shared_reference: Path
) -> None:
    content = json.loads((shared_reference / "rotterdam-to-gbsg.json").read_text())
    curve = kaplan_meier(rotterdam["first_time"], rotterdam["first_event"] == 1)
    naive = 1 - curve.at(np.array([5, 10]) * YEAR)
    np.testing.assert_allclose(naive, content["one_minus_km_recurrence_5y_10y"], rtol=RELATIVE)
    assert (naive > np.array(content["aj_recurrence_5y_10y"])).all()


def test_every_value_of_the_external_validation_is_covered(shared_reference: Path) -> None:
    content = json.loads((shared_reference / "rotterdam-to-gbsg.json").read_text())
    elsewhere = {"one_minus_km_recurrence_5y_10y", "auc_se_2y_5y"}
    assert set(content) == set(EXTERNAL) | set(INCIDENCE) | elsewhere
