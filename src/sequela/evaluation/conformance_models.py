"""R's regression models computed anew: coxph, cox.zph, finegray and crr."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float, Int

from sequela.evaluation.conformance_data import DataSet, complete
from sequela.survival.concordance import concordance
from sequela.survival.cox import Cox, baseline_hazard_of, fit_cox, maximised
from sequela.survival.cox_exact import fit_exact_cox
from sequela.survival.cox_likelihood import Exposure, Partial, Ties, exposure, partial_likelihood
from sequela.survival.fine_gray import Censoring, fit_fine_gray, subdistribution
from sequela.survival.log_rank import log_rank
from sequela.survival.proportional_hazards import proportional_hazards

STOPPED = (
    "R's iteration ends before it has converged; `got` is the same likelihood, ended where R "
    "ends; `converged` is what we report"
)


@dataclass(frozen=True)
class Computed:
    """A value computed anew.

    Attributes:
        got: What must equal R's.
        converged: Where R stops before its iteration has converged: what we report.
    """

    got: float
    converged: float | None = None


def as_coxph(
    covariates: Float[np.ndarray, "patient feature"],
    time: Float[np.ndarray, " patient"],
    event: Bool[np.ndarray, " patient"],
    *,
    entry: Float[np.ndarray, " patient"] | None = None,
    ties: Ties = "efron",
) -> Cox:
    """Our Cox model, but stopped where R's coxph stops: at a log-likelihood settled to 1e-9.

    Source: R survival, coxph.control(eps = 1e-9) and the halving of coxfit6.
    """
    centred = covariates - covariates.mean(axis=0)
    sets = exposure(time, event, entry=entry, ties=ties)
    fitted, coefficients = _stopped(centred, sets)
    return replace(
        fit_cox(covariates, time, event, entry=entry, ties=ties),
        coefficients=coefficients,
        variance=np.linalg.inv(fitted.information),
        baseline_time=sets.time,
        baseline_hazard=baseline_hazard_of(sets, fitted),
        baseline_stratum=sets.stratum,
    )


def _stopped(
    centred: Float[np.ndarray, "patient feature"], sets: Exposure
) -> tuple[Partial, Float[np.ndarray, " feature"]]:
    coefficients = np.zeros(centred.shape[1])
    here = partial_likelihood(centred, coefficients, sets)
    for _ in range(20):
        start, stride = coefficients, np.linalg.solve(here.information, here.gradient)
        coefficients, halvings = start + stride, 0
        there = partial_likelihood(centred, coefficients, sets)
        while there.log_likelihood < here.log_likelihood and halvings < 8:
            halvings += 1
            coefficients = (coefficients + halvings * start) / (halvings + 1)
            there = partial_likelihood(centred, coefficients, sets)
        settled = halvings == 0 and abs(1 - here.log_likelihood / there.log_likelihood) <= 1e-9
        here = there
        if settled:
            break
    return here, coefficients


@lru_cache(maxsize=32)
def _pair(data: DataSet, ties: Ties) -> tuple[Cox, Cox]:
    """R's model and ours."""
    _, covariates = data.covariates()
    time, event = data.outcome()
    entry = data.entry()
    theirs = as_coxph(covariates, time, event, entry=entry, ties=ties)
    return theirs, fit_cox(covariates, time, event, entry=entry, ties=ties)


def of_cox(data: DataSet, ties: Ties, what: str) -> Computed | None:
    """A value of `coxph`: `coef.NAME`, `se.NAME`, `loglik0`, `loglik1`, `score`, `C`, `C_se`."""
    theirs, ours = _pair(data, ties)
    names, covariates = data.covariates()
    kind, _, feature = what.partition(".")
    if kind in ("coef", "se") and feature in names:
        place = names.index(feature)
        pair = [
            float((model.coefficients if kind == "coef" else model.standard_error)[place])
            for model in (theirs, ours)
        ]
        return Computed(pair[0], pair[1])
    simple = {
        "loglik0": ours.null_log_likelihood,
        "loglik1": ours.log_likelihood,
        "score": ours.score.statistic,
    }
    if what in simple:
        return Computed(simple[what])
    if what not in ("C", "C_se"):
        return None
    pairs = concordance(*data.outcome(), ours.predictor(covariates), entry=data.entry())
    return Computed(pairs.value if what == "C" else pairs.standard_error())


def of_robust_cox(data: DataSet, what: str) -> Computed | None:
    """A standard error of `coxph` with patients clustered by institution: `NAME.se`."""
    names, covariates = data.covariates()
    feature, _, kind = what.partition(".")
    if feature not in names or kind != "se":
        return None
    time, event = data.outcome()
    cluster = data.number("inst")
    known = ~np.isnan(cluster)
    model = fit_cox(
        covariates[known], time[known], event[known], cluster=cluster[known].astype(int)
    )
    return Computed(float(model.standard_error[names.index(feature)]))


def of_exact_cox(data: DataSet, what: str) -> Computed | None:
    """A value of `coxph(ties = "exact")` of two groups.

    The score test of exact ties is the log-rank test; concordance does not depend on ties.
    """
    time, event = data.outcome()
    code = data.code("x")
    pairs = concordance(time, event, code.astype(float))
    model = fit_exact_cox(code[:, None].astype(float), time, event)
    found: dict[str, Callable[[], float]] = {
        "coef": lambda: float(model.coefficients[0]),
        "se": lambda: float(model.standard_error[0]),
        "loglik0": lambda: model.null_log_likelihood,
        "loglik1": lambda: model.log_likelihood,
        "score": lambda: log_rank(time, event, code).statistic,
        "C": lambda: pairs.value,
        "C_se": pairs.standard_error,
    }
    kind = what.partition(".")[0]
    return Computed(found[kind]()) if kind in found else None


def of_proportional_hazards(data: DataSet, what: str) -> Computed | None:
    """A value of `cox.zph`: `NAME.chisq`, `NAME.p`, `GLOBAL.p`."""
    names, covariates = data.covariates()
    feature, _, kind = what.partition(".")
    if feature not in (*names, "GLOBAL") or kind not in ("chisq", "p"):
        return None
    found = proportional_hazards(covariates, *data.outcome())
    test = found.together if feature == "GLOBAL" else found.each[names.index(feature)]
    return Computed(test.p if kind == "p" else test.statistic)


def of_crr(data: DataSet, kind: str, feature: str) -> Computed | None:
    """A value of `cmprsk::crr` of progression."""
    names, covariates = data.covariates()
    if feature not in names or kind not in ("coef", "se"):
        return None
    place, known = names.index(feature), complete(covariates)
    time, event = (part[known] for part in data.first_event())
    model = fit_fine_gray(covariates[known], time, event)
    if kind == "se":
        return Computed(float(model.standard_error[place]))
    order = np.argsort(time, kind="stable")
    sets = _subdistribution(time[order], event[order], "breslow")
    got = _stopped_as_crr(covariates[known][order], sets)
    return Computed(float(got[place]), float(model.coefficients[place]))


def _subdistribution(
    time: Float[np.ndarray, " patient"],
    event: Int[np.ndarray, " patient"],
    ties: Ties,
    curve: Censoring | None = None,
) -> Exposure:
    """Risk sets of patients in order of time, of one stratum, for cause 1."""
    together = np.zeros(len(time), dtype=np.int64)
    curve = curve or Censoring.of(time, event, ties)
    return subdistribution(time, event, together, 1, ties, None, [curve])


def _stopped_as_crr(
    covariates: Float[np.ndarray, "patient feature"], sets: Exposure
) -> Float[np.ndarray, " feature"]:
    """Coefficients where crr stops: a small gradient beside the log-likelihood."""
    coefficients = np.zeros(covariates.shape[1])
    for _ in range(10):
        here = partial_likelihood(covariates, coefficients, sets)
        slack = np.abs(here.gradient) * np.maximum(np.abs(coefficients), 1)
        if slack.max() < 1e-6 * max(abs(here.log_likelihood), 1):
            break
        coefficients = coefficients + np.linalg.solve(here.information, here.gradient)
    return coefficients


def of_finegray(data: DataSet, what: str) -> Computed | None:
    """A coefficient of `finegray` and `coxph` (Efron): `coef.NAME`.

    R's finegray takes the censoring curve of all patients; coxph then drops the incomplete.
    """
    names, covariates = data.covariates()
    kind, _, feature = what.partition(".")
    if kind != "coef" or feature not in names:
        return None
    known = complete(covariates)
    everybody = Censoring.of(*data.first_event(), "efron")
    time, event = (part[known] for part in data.first_event())
    order = np.argsort(time, kind="stable")
    sets = _subdistribution(time[order], event[order], "efron", everybody)
    centred = (covariates[known] - covariates[known].mean(axis=0))[order]
    null = partial_likelihood(centred, np.zeros(len(names)), sets)
    _, coefficients = maximised(centred, sets, null, 0.0)
    return Computed(float(coefficients[names.index(feature)]))
