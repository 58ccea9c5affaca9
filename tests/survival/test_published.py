"""Every value that R's survival computed on published data, and ours beside it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from unittest import mock

import numpy as np
import polars as pl
import pytest

from sequela.survival import fine_gray
from sequela.survival.aalen_johansen import aalen_johansen
from sequela.survival.concordance import concordance
from sequela.survival.cox import Cox, fit_cox
from sequela.survival.cox_exact import fit_exact_cox
from sequela.survival.cox_likelihood import exposure, partial_likelihood
from sequela.survival.fine_gray import fit_fine_gray
from sequela.survival.gray import gray
from sequela.survival.kaplan_meier import kaplan_meier
from sequela.survival.log_rank import log_rank
from sequela.survival.proportional_hazards import proportional_hazards

SHARED = Path(__file__).parents[3] / "shared"
PUBLISHED = SHARED / "reference" / "published.json"
RELATIVE = 1e-9
ELSEWHERE = ("gbsg2.brier_ipcw", "gbsg2.auc_t", "gbsg2.ibs0")  # tests/evaluation
NOT_COVERED = {
    "aSAH": "the data of pROC are not here; tests/evaluation compares DeLong with its definition",
}


@cache
def data(name: str) -> dict[str, np.ndarray]:
    frame = pl.read_csv(SHARED / "data" / "survival" / f"{name}.csv")
    numeric = frame.with_columns(frame.select(pl.col(pl.Int64)).cast(pl.Float64))
    return {column: numeric[column].to_numpy() for column in numeric.columns}


def outcome(name: str) -> tuple[np.ndarray, np.ndarray]:
    table = data(name)
    match name:
        case "lung":
            return table["time"], table["status"] == 2
        case "ovarian":
            return table["futime"], table["fustat"] == 1
        case "gbsg2":
            return table["time"], table["cens"] == 1
        case "rossi":
            return table["week"], table["arrest"] == 1
        case "heart":
            return table["stop"], table["event"] == 1
        case _:
            return table["time"], table["status"] == 1


COVARIATES = {
    "lung": {"age": "age", "sex": "sex"},
    "ovarian": {"age": "age", "rx": "rx"},
    "veteran": {name: name for name in ("trt", "karno", "diagtime", "age", "prior")},
    "heart": {"age": "age", "year": "year", "surgery": "surgery", "transplant1": "transplant"},
    "rossi": {
        "finyes": "fin",
        "age": "age",
        "raceother": "race:other",
        "wexpyes": "wexp",
        "marnot married": "mar:not",
        "paroyes": "paro",
        "prio": "prio",
    },
    "gbsg2": {
        **{name: name for name in ("age", "tsize", "pnodes", "progrec", "estrec")},
        "horThyes": "horTh=yes",
    },
}


def column(name: str, rule: str) -> np.ndarray:
    table = data(name)
    field, negated, _ = rule.partition(":")
    field, equals, level = field.partition("=")
    values = (table[field] == level).astype(float) if equals else table[field].astype(float)
    return 1 - values if negated else values


@cache
def cox(name: str, ties: str = "efron", cluster: str = "") -> Cox:
    time, event = outcome(name)
    covariates = np.stack([column(name, rule) for rule in COVARIATES[name].values()], axis=1)
    entry = data("heart")["start"] if name == "heart" else None
    if not cluster:
        return fit_cox(covariates, time, event, entry=entry, ties=ties)
    groups = data(name)[cluster]
    known = ~np.isnan(groups)
    return fit_cox(
        covariates[known], time[known], event[known], cluster=groups[known].astype(int), ties=ties
    )


@cache
def stopped_as_r(name: str, ties: str) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients and standard errors where R stops: at a log-likelihood settled to 1e-9.

    R's own coefficients are converged to some 1e-6 only, ours further; the same steps stopped at
    the same place must agree.
    """
    time, event = outcome(name)
    covariates = np.stack([column(name, rule) for rule in COVARIATES[name].values()], axis=1)
    covariates = covariates - covariates.mean(axis=0)
    entry = data("heart")["start"] if name == "heart" else None
    sets = exposure(time, event, entry=entry, ties=ties)
    coefficients = np.zeros(covariates.shape[1])
    here = partial_likelihood(covariates, coefficients, sets)
    for _ in range(20):
        start, stride = coefficients, np.linalg.solve(here.information, here.gradient)
        coefficients, halvings = start + stride, 0
        there = partial_likelihood(covariates, coefficients, sets)
        while there.log_likelihood < here.log_likelihood and halvings < 8:
            halvings += 1
            coefficients = (coefficients + halvings * start) / (halvings + 1)
            there = partial_likelihood(covariates, coefficients, sets)
        settled = halvings == 0 and abs(1 - here.log_likelihood / there.log_likelihood) <= 1e-9
        here = there
        if settled:
            break
    return coefficients, np.sqrt(np.diag(np.linalg.inv(here.information)))


def of_cox(name: str, ties: str, what: list[str]) -> float:
    model = cox(name, ties)
    place = list(COVARIATES[name])
    match what:
        case ["coef", feature]:
            close, _ = stopped_as_r(name, ties)
            np.testing.assert_allclose(model.coefficients, close, rtol=1e-5, atol=1e-9)
            return float(close[place.index(feature)])
        case ["se", feature]:
            _, close = stopped_as_r(name, ties)
            np.testing.assert_allclose(model.standard_error, close, rtol=1e-5)
            return float(close[place.index(feature)])
        case ["loglik0"]:
            return model.null_log_likelihood
        case ["loglik1"]:
            return model.log_likelihood
        case ["score"]:
            return model.score.statistic
    covariates = np.stack([column(name, rule) for rule in COVARIATES[name].values()], axis=1)
    time, event = outcome(name)
    entry = data("heart")["start"] if name == "heart" else None
    pairs = concordance(time, event, model.predictor(covariates), entry=entry)
    return pairs.value if what == ["C"] else pairs.standard_error()


def of_kaplan_meier(name: str, what: str) -> float:
    curve = kaplan_meier(*outcome(name))
    if what.startswith("median"):
        value, limits = curve.median()
        return {"median": value, "median_lo_loglog": limits[0], "median_hi_loglog": limits[1]}[what]
    kind, day = what.rstrip(")").split("(")
    days = np.array([float(day)])
    match kind:
        case "S":
            return float(curve.at(days)[0])
        case "se":
            return float(curve.standard_error(days)[0])
        case _:
            return float(curve.interval(days)[kind == "hi"][0])


def of_log_rank(name: str, test: str, what: list[str]) -> float:
    time, event = outcome(name)
    field, _, strata = what[0].partition("_strata_")
    code, stratum = (
        np.unique(data(name)[one], return_inverse=True)[1] if one else None
        for one in (field, strata)
    )
    result = log_rank(time, event, code, strata=stratum, rho=float(test == "petopeto"))
    return result.statistic if what[1] == "chisq" else result.p


def of_concordance(name: str, feature: str, what: str) -> float:
    time, event = outcome(name)
    risk = -data(name)[feature[1:]] if feature[0] == "-" else data(name)[feature]
    horizon = 1825.0 if "ymax1825" in what else None
    # S/G and n/G^2 are proportional where no censoring ties with an event, as here.
    pairs = (
        concordance(
            time,
            event,
            risk,
            pairs="harrell" if "[n" in what and "G2" not in what else "uno",
            horizon=horizon,
        )
        if not what.startswith("count")
        else concordance(time, event, risk)
    )
    counts = {
        "count.concordant": pairs.concordant,
        "count.discordant": pairs.discordant,
        "count.tied.x": pairs.tied_risk,
        "count.tied.y": pairs.tied_time,
        "count.tied.xy": pairs.tied_both,
    }
    if what in counts:
        return counts[what]
    return pairs.standard_error() if what.startswith("C_se") else pairs.value


def of_concordance_difference(what: str) -> float:
    time, event = outcome("gbsg2")
    first, second = (concordance(time, event, data("gbsg2")[name]) for name in ("pnodes", "tsize"))
    difference, error = first.less(second)
    return difference if what == "diff" else difference / error


def of_proportional_hazards(what: str) -> float:
    names = list(COVARIATES["veteran"])
    covariates = np.stack([column("veteran", name) for name in names], axis=1)
    found = proportional_hazards(covariates, *outcome("veteran"))
    feature, kind = what.split(".")
    test = found.together if feature == "GLOBAL" else found.each[names.index(feature)]
    return test.p if kind == "p" else test.statistic


def mgus() -> tuple[np.ndarray, np.ndarray]:
    table = data("mgus2")
    progressed = table["pstat"] == 1
    time = np.where(progressed, table["ptime"], table["futime"])
    return time, np.where(progressed, 1, 2 * (table["death"] == 1)).astype(int)


def mgus_covariates() -> tuple[list[str], np.ndarray]:
    rules = {"age": "age", "sexM": "sex=M", "mspike": "mspike"}
    return list(rules), np.stack([column("mgus2", rule) for rule in rules.values()], axis=1)


def of_crr(kind: str, feature: str) -> float:
    names, covariates = mgus_covariates()
    known = ~np.isnan(covariates).any(axis=1)
    covariates, time, event = covariates[known], *(part[known] for part in mgus())
    model = fit_fine_gray(covariates, time, event)
    if kind == "se":
        return float(model.standard_error[names.index(feature)])
    close = stopped_as_crr(covariates, time, event)
    np.testing.assert_allclose(model.coefficients, close, rtol=1e-7)
    return float(close[names.index(feature)])


def stopped_as_crr(covariates: np.ndarray, time: np.ndarray, event: np.ndarray) -> np.ndarray:
    """Coefficients where crr stops, whose own are converged to some 1e-8 only."""
    order = np.argsort(time, kind="stable")
    covariates, time, event = covariates[order], time[order], event[order]
    sets, _ = fine_gray._exposure(time, event, np.zeros(len(time), dtype=int), 1, "breslow", None)
    coefficients = np.zeros(covariates.shape[1])
    for _ in range(10):
        here = partial_likelihood(covariates, coefficients, sets)
        slack = np.abs(here.gradient) * np.maximum(np.abs(coefficients), 1)
        if slack.max() < 1e-6 * max(abs(here.log_likelihood), 1):
            break
        coefficients = coefficients + np.linalg.solve(here.information, here.gradient)
    return coefficients


def of_finegray(feature: str) -> float:
    """R's finegray takes the censoring curve of all patients, coxph then drops the incomplete."""
    names, covariates = mgus_covariates()
    known = ~np.isnan(covariates).any(axis=1)
    everybody = fine_gray._Censoring.of(*mgus(), "efron")
    with mock.patch.object(fine_gray._Censoring, "of", lambda *_: everybody):
        model = fit_fine_gray(covariates[known], *(part[known] for part in mgus()), ties="efron")
    return float(model.coefficients[names.index(feature)])


def of_gray(what: str) -> float:
    cause, kind = what.split(".")
    code = (data("mgus2")["sex"] == "M").astype(int)
    test = gray(*mgus(), code, cause=2 if cause == "death" else 1)
    return test.p if kind == "p" else test.statistic


def of_mgus(what: str) -> float:
    time, event = mgus()
    kind, day = what.rstrip(")").split("(")
    days = np.array([float(day)])
    if kind.startswith("naive"):
        return 1 - float(kaplan_meier(time, event == 1).at(days)[0])
    curve = aalen_johansen(time, event, cause=2 if "death" in kind else 1)
    return float((curve.standard_error(days) if ".se" in kind else curve.at(days))[0])


def rest(identity: str, parts: int) -> str:
    return identity.split(".", parts)[parts]


def ours(identity: str) -> Callable[[], float] | None:
    """How we compute the value called `identity`; None where we do not."""
    name, family = identity.split(".")[:2]
    match name, family:
        case "aml", "cox_exact":
            return lambda: of_exact_cox(identity)
        case _, "km":
            return lambda: of_kaplan_meier(name, rest(identity, 2).removeprefix("loglog."))
        case _, "rmst365":
            return lambda: kaplan_meier(*outcome(name)).restricted_mean(365.0)["se" in identity]
        case _, "logrank" | "petopeto":
            return lambda: of_log_rank(name, family, rest(identity, 2).split("."))
        case _, "cox_robust":
            feature, index = rest(identity, 2).split(".")[0], list(COVARIATES[name])
            return lambda: float(cox(name, cluster="inst").standard_error[index.index(feature)])
        case _, "cox_breslow" | "cox_efron" | "cox_efron_tv" | "cox6":
            what = rest(identity, 2).removeprefix("age_sex.").removeprefix("age_rx.")
            ties = "breslow" if family == "cox_breslow" else "efron"
            return lambda: of_cox(name, ties, what.split(".", 1))
        case _, "conc":
            feature, what = rest(identity, 2).split(".", 1)
            return lambda: of_concordance(name, feature, what)
        case _, "conc_diff":
            return lambda: of_concordance_difference(rest(identity, 3))
        case "veteran", "coxzph":
            return lambda: of_proportional_hazards(rest(identity, 2))
        case "mgus2", "finegray":
            return lambda: of_finegray(rest(identity, 4))
        case "mgus2", "crr":
            return lambda: of_crr(identity.split(".")[-2], rest(identity, 2).split(".")[-1])
        case "mgus2", "gray":
            return lambda: of_gray(rest(identity, 3))
        case "mgus2", "aj":
            return lambda: of_mgus(rest(identity, 2))
        case "mgus2", _ if "naive" in identity:
            return lambda: of_mgus("naive(" + identity.split("(")[1])
    return None


def of_exact_cox(identity: str) -> float:
    """The score test of exact ties is the log-rank test; concordance does not depend on ties."""
    time, event = outcome("aml")
    code = np.unique(data("aml")["x"], return_inverse=True)[1]
    match rest(identity, 3).split(".")[0]:
        case "score":
            return log_rank(time, event, code).statistic
        case "C":
            return concordance(time, event, code.astype(float)).value
        case "C_se":
            return concordance(time, event, code.astype(float)).standard_error()
    model = fit_exact_cox(code[:, None].astype(float), time, event)
    found = {
        "coef": float(model.coefficients[0]),
        "se": float(model.standard_error[0]),
        "loglik0": model.null_log_likelihood,
        "loglik1": model.log_likelihood,
    }
    return found[rest(identity, 3).split(".")[0]]


def published() -> Iterator[tuple[str, float]]:
    if PUBLISHED.is_file():
        for entry in json.loads(PUBLISHED.read_text()):
            yield entry["id"], entry["value"]


def covered() -> list[tuple[str, float]]:
    apart = (*NOT_COVERED, *ELSEWHERE)
    return [(name, value) for name, value in published() if not name.startswith(apart)]


@pytest.mark.parametrize(("identity", "value"), covered(), ids=lambda part: str(part))
def test_the_published_value_is_ours(identity: str, value: float, shared_data: Path) -> None:
    compute = ours(identity)
    assert compute is not None, "a published value that is neither computed nor listed as absent"
    assert compute() == pytest.approx(value, rel=RELATIVE, abs=1e-14)


def test_most_published_values_are_covered(shared_reference: Path) -> None:
    everything = list(published())
    absent = [name for name, _ in everything if name.startswith(tuple(NOT_COVERED))]
    assert len(everything) == 274
    assert len(absent) == 37
