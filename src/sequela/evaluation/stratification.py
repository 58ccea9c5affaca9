"""Risk groups at the validation median, and what became of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from sequela.errors import UndefinedMetricError
from sequela.evaluation.estimate import Estimate, estimated
from sequela.evaluation.rows import ModelRows, Rows
from sequela.survival.aalen_johansen import aalen_johansen
from sequela.survival.censoring import survivors
from sequela.survival.cox import ChiSquared, chi_squared_test, fit_cox
from sequela.survival.cox_likelihood import exposure, partial_likelihood, score_residuals
from sequela.survival.kaplan_meier import kaplan_meier
from sequela.survival.log_rank import log_rank
from sequela.survival.proportional_hazards import proportional_hazards

RULE = "at or above the median risk of the validation rows of the same run is high"
STATED = "at or above the threshold that the owner of the predictions states is high"


@dataclass(frozen=True)
class RiskGroups:
    """High or low for each row: at or above the median risk of the same run's validation rows."""

    cuts: tuple[float, ...]
    high: Bool[np.ndarray, " row"]

    def require_both(self) -> None:
        """Raise an UndefinedMetricError unless both groups hold rows."""
        high = int(self.high.sum())
        if high in (0, len(self.high)):
            raise UndefinedMetricError(
                f"two risk groups are needed, {high} of {len(self.high)} rows are in the high one"
            )


def risk_groups(model: ModelRows, stated: float | None = None) -> RiskGroups:
    """Cut each run's test rows at the median of its validation rows; at the median is high.

    Args:
        model: Whose rows.
        stated: Where to cut instead.

    Raises:
        UndefinedMetricError: If a run has no validation rows.
    """
    cuts = []
    high = np.zeros(len(model.test), dtype=bool)
    for run in np.unique(model.test.run):
        own = model.validation.risk[model.validation.run == run]
        chosen = own if stated is None else np.array([stated])
        if not len(chosen):
            raise UndefinedMetricError(
                "risk groups need validation rows of the same run to choose the cut on, found "
                "none, or a stated threshold (evaluation.threshold)",
                hint="write validation rows into the predictions table, or state a threshold",
            )
        cuts.append(float(np.median(chosen)))
        rows = model.test.run == run
        high[rows] = model.test.risk[rows] >= cuts[-1]
    return RiskGroups(tuple(cuts), high)


def hazard_ratio(rows: Rows, groups: RiskGroups, cause: int, *, level: float) -> Estimate:
    """Cause-specific hazard of the high against the low group, with Wald's interval and p.

    Raises:
        UndefinedMetricError: If a group is empty, or has no event, so that the ratio is 0 or
            infinite.
    """
    groups.require_both()
    event = rows.event == cause
    for name, inside in (("low", ~groups.high), ("high", groups.high)):
        if not event[inside].any():
            raise UndefinedMetricError(
                f"the hazard ratio does not exist: no event among {int(inside.sum())} rows of the "
                f"{name}-risk group"
            )
    model = fit_cox(
        groups.high.astype(float)[:, None],
        rows.time,
        event,
        entry=rows.late,
        cluster=None if rows.one_row_a_patient else rows.patient,
    )
    low, high = model.interval(level)
    return Estimate(
        value=float(np.exp(model.coefficients[0])),
        low=float(np.exp(low[0])),
        high=float(np.exp(high[0])),
        level=level,
        method="Cox, Wald" if rows.one_row_a_patient else "Cox, Wald, robust by patient",
        p=float(model.wald_p()[0]),
    )


def group_test(rows: Rows, groups: RiskGroups, cause: int) -> dict[str, object]:
    """The log-rank test of the groups; with several rows a patient its robust score form.

    Source: Mantel 1966; Lin & Wei 1989 for the robust score test.
    """
    try:
        groups.require_both()
        if rows.one_row_a_patient:
            code = groups.high.astype(np.int64)
            test = log_rank(rows.time, rows.event == cause, code, entry=rows.late)
            method = "log-rank"
        else:
            test, method = _robust_score(rows, groups, cause), "score test, robust by patient"
    except UndefinedMetricError as error:
        return chi_squared_json(None, "", error.message)
    return chi_squared_json(test, method, "")


def proportionality(rows: Rows, groups: RiskGroups, cause: int) -> dict[str, object]:
    """Whether the hazard ratio of the groups stays the same over time.

    Source: Grambsch & Therneau 1994; R survival::cox.zph.
    """
    try:
        groups.require_both()
        if not rows.one_row_a_patient:
            raise UndefinedMetricError("rows of one patient are not independent")
        test = proportional_hazards(
            groups.high.astype(float)[:, None], rows.time, rows.event == cause, entry=rows.late
        ).together
    except UndefinedMetricError as error:
        return chi_squared_json(None, "", error.message)
    return chi_squared_json(test, "score test, Kaplan-Meier scale", "")


def _robust_score(rows: Rows, groups: RiskGroups, cause: int) -> ChiSquared:
    event = rows.event == cause
    if not event.any():
        raise UndefinedMetricError("a test of risk groups needs an event, found none")
    high = groups.high.astype(float)[:, None]
    sets = exposure(rows.time, event, entry=rows.late)
    residuals = score_residuals(high, sets, partial_likelihood(high, np.zeros(1), sets))
    sums = np.bincount(rows.patient, residuals[:, 0])
    variance = float((sums**2).sum())
    if variance <= 0:
        raise UndefinedMetricError("a test of risk groups needs an event while both are at risk")
    return chi_squared_test(float(sums.sum() ** 2 / variance), 1)


def chi_squared_json(test: ChiSquared | None, method: str, reason: str) -> dict[str, object]:
    """A test as it stands in `evaluation.json`; null and the reason where it is undefined."""
    return {
        "statistic": test.statistic if test else None,
        "freedom": test.freedom if test else None,
        "p": test.p if test else None,
        "method": method,
        "reason": reason,
    }


def outcome_counts(rows: Rows, cause: int, day: float, *, level: float) -> dict[str, object]:
    """What became of some rows by `day`: counts, the excluded among them, rate and incidence.

    The rate is that of the paper's heat map, events among those whose status is known; the
    incidence counts those censored before the day for as long as they were seen.
    """
    known = rows.time <= day
    event = int(((rows.event == cause) & known).sum())
    competing = int(((rows.event > 0) & (rows.event != cause) & known).sum())
    free = int(survivors(rows.time, rows.event > 0, day).sum())
    reached = event + competing + free
    return {
        "event": event,
        "event_free": free,
        "competing": competing,
        "excluded": len(rows) - reached,
        "event_rate": event / reached if reached else None,
        "incidence": estimated(lambda: incidence(rows, cause, day, level=level)).as_json(),
    }


def incidence(rows: Rows, cause: int, day: float, *, level: float) -> Estimate:
    """Aalen-Johansen incidence at `day`, its interval from the jackknife over patients.

    Raises:
        UndefinedMetricError: If there is no row, or follow-up ends before the day.
    """
    if not len(rows):
        raise UndefinedMetricError("there is no row in this group")
    curve = aalen_johansen(rows.time, rows.event, cause=cause, entry=rows.late)
    curve.require(day)
    at = np.array([day])
    low, high = curve.interval(at, level=level, cluster=rows.patient)
    (least,), (most,) = nullable(low), nullable(high)
    reason = "" if least is not None else "no interval: the incidence is 0 or 1"
    method = "jackknife over patients, log-log"
    return Estimate(float(curve.at(at)[0]), least, most, level, method, reason=reason)


def free_curve(rows: Rows, cause: int, *, level: float, points: int) -> dict[str, object]:
    """The probability of staying free of the event, as plotted; limits null where there are none.

    Kaplan-Meier with log-log limits where every patient has one row and nothing competes, else one
    minus Aalen-Johansen with limits from the jackknife over patients.
    """
    competing = ((rows.event > 0) & (rows.event != cause)).any()
    happened = np.unique(rows.time[rows.event == cause])
    keep = np.union1d(happened, rows.time.max(keepdims=True))
    time = keep[np.unique(np.linspace(0, len(keep) - 1, points).round().astype(int))]
    if competing or not rows.one_row_a_patient:
        incident = aalen_johansen(rows.time, rows.event, cause=cause, entry=rows.late)
        high, low = (
            1 - part for part in incident.interval(time, level=level, cluster=rows.patient)
        )
        values = 1 - incident.at(time)
    else:
        curve = kaplan_meier(rows.time, rows.event == cause, entry=rows.late)
        values, (low, high) = curve.at(time), curve.interval(time, level=level)
    return {
        "kind": "aalen-johansen" if competing else "kaplan-meier",
        "time": [0.0, *time.tolist()],
        "estimate": [1.0, *values.tolist()],
        "low": [None, *nullable(low)],
        "high": [None, *nullable(high)],
    }


def nullable(values: Float[np.ndarray, " value"]) -> list[float | None]:
    """The numbers as JSON holds them: null where they do not exist."""
    return [float(value) if np.isfinite(value) else None for value in values]


def numbers_at_risk(rows: Rows, times: Float[np.ndarray, " time"]) -> list[int]:
    """How many rows are under observation at each time."""
    watched = (rows.entry[:, None] <= times) & (rows.time[:, None] >= times)
    return [int(count) for count in watched.sum(axis=0)]
