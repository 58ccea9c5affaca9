"""What R's riskRegression, pec, rms and dcurves say of two Cox models, computed anew."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float, Int

from sequela.evaluation.auc_influence import auc_standard_error
from sequela.evaluation.calibration import Forecast, calibration_measures, integrated_brier
from sequela.evaluation.conformance_data import DataSet
from sequela.evaluation.conformance_models import Computed, as_coxph
from sequela.evaluation.discrimination import auc_measure
from sequela.evaluation.outcome import Question
from sequela.evaluation.recalibration import (
    calibration_curve,
    calibration_slope,
    complementary_log_log,
)
from sequela.evaluation.rows import Rows
from sequela.evaluation.uncertainty import Draw
from sequela.evaluation.utility import net_benefit
from sequela.survival.aalen_johansen import aalen_johansen
from sequela.survival.concordance import TimeWeight, concordance
from sequela.survival.cox import Cox
from sequela.survival.kaplan_meier import kaplan_meier

_YEAR = 365.25
_GRID = (365.0, 730.0, 1095.0, 1460.0, 1825.0)
_TWO_AND_FIVE_YEARS = (2 * _YEAR, 5 * _YEAR)


@dataclass(frozen=True)
class Judged:
    """A Cox model and the patients it is judged on."""

    model: Cox
    covariates: Float[np.ndarray, "patient feature"]
    rows: Rows

    def forecast(self, day: float) -> Forecast:
        """The predicted probability of the event by a day of the grid."""
        return Forecast(Question(1, day), self.rows.grid.index(day))

    def measure(self, name: str, day: float) -> float:
        """A measure of the model at a day of the grid: `auc`, `brier`, `ipa` and so on."""
        made = self.forecast(day)
        measures = {**calibration_measures(made), "auc": auc_measure(made.question)}
        once = Draw(self.rows, np.ones((len(self.rows), 1)))
        return float(measures[name](self.rows, once)[0])

    def auc_error(self, day: float) -> float:
        """The standard error of the dynamic AUC at a day."""
        rows = self.rows
        return auc_standard_error(rows.risk, rows.time, rows.event, Question(1, day))

    def concordance(self, pairs: TimeWeight) -> float:
        """Harrell's or Uno's C."""
        rows = self.rows
        return concordance(rows.time, rows.event == 1, rows.risk, pairs=pairs).value

    def index(self, name: str) -> float:
        """A calibration index at five years: `ici`, `e50`, `e90` or `emax`."""
        return calibration_curve(self.rows, self.forecast(5 * _YEAR)).indices()[name]

    def benefit(self, threshold: float, *, everybody: bool = False) -> float:
        """Net benefit at five years, of the model or of treating all."""
        made = self.forecast(5 * _YEAR)
        risk = np.ones(len(self.rows)) if everybody else made.risk(self.rows)
        return net_benefit(risk, threshold, self.rows, made)


def judged(
    model: Cox,
    covariates: Float[np.ndarray, "patient feature"],
    time: Float[np.ndarray, " patient"],
    event: Bool[np.ndarray, " patient"],
    grid: tuple[float, ...],
) -> Judged:
    """A model on some patients, one row each."""
    count = len(time)
    rows = Rows(
        patient=np.arange(count),
        run=np.zeros(count, dtype=np.int64),
        number=np.zeros(count, dtype=np.int64),
        landmark=np.zeros(count),
        time=time,
        event=event.astype(np.int64),
        entry=np.full(count, -np.inf),
        risk=model.predictor(covariates),
        survival=model.survival(covariates, np.array(grid)),
        grid=grid,
        patients=tuple(map(str, range(count))),
    )
    return Judged(model, covariates, rows)


@lru_cache(maxsize=4)
def _german(data: DataSet) -> Judged:
    """GBSG2 and a Cox model of six covariates, judged on its own patients."""
    _, covariates = data.covariates()
    time, event = data.outcome()
    return judged(as_coxph(covariates, time, event), covariates, time, event, _GRID)


def of_scores(data: DataSet, family: str, what: str) -> Computed | None:
    """A value of riskRegression's `Score` on GBSG2: `MODEL.tDAY`, and `.se` of an AUC."""
    model, _, moment = what.partition(".t")
    day, _, error = moment.partition(".")
    measures = {
        ("brier_ipcw", "cox6", ""): "brier",
        ("brier_ipcw", "null", ""): "brier_null",
        ("auc_t", "cox6", ""): "auc",
        ("auc_t", "cox6", "se"): "auc error",
    }
    name = measures.get((family, model, error))
    if name is None or not day.isdecimal() or float(day) not in _GRID:
        return None
    it = _german(data)
    if name == "auc error":
        return Computed(it.auc_error(float(day)))
    return Computed(it.measure(name, float(day)))


def of_integrated_brier(data: DataSet, what: str) -> Computed | None:
    """The integrated Brier score of pec on GBSG2 from 0 to 1825 days: `cox6` or `KM`."""
    it = _german(data)
    time, event = data.outcome()
    match what:
        case "cox6":
            moments = it.model.baseline_time
            survival = it.model.survival(it.covariates, moments)
        case "KM":
            curve = kaplan_meier(time, event)
            moments, survival = curve.time, np.tile(curve.survival, (len(time), 1))
        case _:
            return None
    return Computed(integrated_brier(time, event, survival, moments, until=1825.0))


@dataclass(frozen=True)
class External:
    """The Cox model of Rotterdam, judged on the German trial; and Rotterdam's first events."""

    judged: Judged
    first_time: Float[np.ndarray, " patient"]
    first_event: Int[np.ndarray, " patient"]

    def incidence(self, cause: int) -> Float[np.ndarray, " time"]:
        """Of a cause, at five and ten years."""
        days = np.array([5, 10]) * _YEAR
        return aalen_johansen(self.first_time, self.first_event, cause=cause).at(days)

    def naive_incidence(self) -> Float[np.ndarray, " time"]:
        """Of recurrence, deaths taken for censorings: the biased one."""
        days = np.array([5, 10]) * _YEAR
        return 1 - kaplan_meier(self.first_time, self.first_event == 1).at(days)


_TUMOUR = ("age", "meno", "sz", "nod", "grade")


def _tumour(data: DataSet, size: Bool[np.ndarray, " patient"]) -> Float[np.ndarray, "patient 5"]:
    nodes = np.minimum(data.number("nodes"), 12)
    columns = (data.number("age"), data.number("meno"), size, nodes, data.number("grade"))
    return np.column_stack(columns).astype(float)


@lru_cache(maxsize=4)
def external_validation(rotterdam: DataSet, gbsg: DataSet) -> External:
    """Recurrence or death; a death after recurrence-free follow-up had ended is not counted."""
    recurred, died = rotterdam.number("recur") == 1, rotterdam.number("death") == 1
    followed, lived = rotterdam.number("rtime"), rotterdam.number("dtime")
    unseen = ~recurred & died & (followed < lived)
    large = rotterdam.covariate("size=<=20") == 0
    model = as_coxph(
        _tumour(rotterdam, large),
        np.where(recurred | unseen, followed, lived),
        (recurred | died) & ~unseen,
    )
    covariates = _tumour(gbsg, gbsg.number("size") > 20)
    time, event = gbsg.number("rfstime"), gbsg.number("status") == 1
    return External(
        judged(model, covariates, time, event, _TWO_AND_FIVE_YEARS),
        np.where(recurred, followed, lived),
        np.where(recurred, 1, np.where(died, 2, 0)),
    )


def _both(name: str) -> Callable[[External], list[float]]:
    return lambda it: [it.judged.measure(name, day) for day in _TWO_AND_FIVE_YEARS]


def _risk(it: External) -> Float[np.ndarray, " row"]:
    return it.judged.forecast(5 * _YEAR).risk(it.judged.rows)


def _observed(it: External) -> float:
    rows = it.judged.rows
    return float(1 - kaplan_meier(rows.time, rows.event == 1).at(np.array([5 * _YEAR]))[0])


def _slope(it: External) -> float | None:
    return calibration_slope(it.judged.rows, it.judged.forecast(5 * _YEAR), level=0.95).value


EXTERNAL: dict[str, Callable[[External], float | list[float] | None]] = {
    "coef": lambda it: it.judged.model.coefficients.tolist(),
    "loglik0": lambda it: it.judged.model.null_log_likelihood,
    "loglik1": lambda it: it.judged.model.log_likelihood,
    "C_ext[n]": lambda it: it.judged.concordance("harrell"),
    "C_ext[n/G2]": lambda it: it.judged.concordance("uno"),
    "auc_2y_5y": _both("auc"),
    "auc_se_2y_5y": lambda it: [it.judged.auc_error(day) for day in _TWO_AND_FIVE_YEARS],
    "brier_2y_5y": _both("brier"),
    "brier_null_2y_5y": _both("brier_null"),
    "ipa_2y_5y": _both("ipa"),
    "calibration_slope": _slope,
    "mean_pred_5y": lambda it: float(_risk(it).mean()),
    "km_risk_5y": _observed,
    "OE_5y": lambda it: it.judged.measure("observed_expected", 5 * _YEAR),
    "ICI_5y": lambda it: it.judged.index("ici"),
    "E50_5y": lambda it: it.judged.index("e50"),
    "E90_5y": lambda it: it.judged.index("e90"),
    "Emax_5y": lambda it: it.judged.index("emax"),
    "ici_knots": lambda it: np.quantile(complementary_log_log(_risk(it)), [0.1, 0.5, 0.9]).tolist(),
    "net_benefit_5y_0.3": lambda it: it.judged.benefit(0.3),
    "net_benefit_5y_0.5": lambda it: it.judged.benefit(0.5),
    "net_benefit_all_5y_0.3": lambda it: it.judged.benefit(0.3, everybody=True),
    "net_benefit_all_5y_0.5": lambda it: it.judged.benefit(0.5, everybody=True),
    "aj_recurrence_5y_10y": lambda it: it.incidence(1).tolist(),
    "aj_death_5y_10y": lambda it: it.incidence(2).tolist(),
    "one_minus_km_recurrence_5y_10y": lambda it: it.naive_incidence().tolist(),
}
"""Values of the external validation by name: a number, or several in the order of R."""


def of_external(rotterdam: DataSet, gbsg: DataSet, what: str) -> Computed | None:
    """A value of the external validation: `NAME`, `NAME.POSITION` from 0, or `coef.COVARIATE`."""
    name = what if what in EXTERNAL else what.rpartition(".")[0]
    if name not in EXTERNAL:
        return None
    found = EXTERNAL[name](external_validation(rotterdam, gbsg))
    place = what.removeprefix(name).removeprefix(".")
    if isinstance(found, list):
        named = _TUMOUR if name == "coef" else tuple(map(str, range(len(found))))
        return Computed(found[named.index(place)]) if place in named else None
    return None if found is None or place else Computed(float(found))
