"""R's curves, tests and concordances computed anew: survfit, survdiff, concordance, cuminc."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from sequela.evaluation.conformance_data import DataSet
from sequela.evaluation.conformance_models import Computed
from sequela.survival.aalen_johansen import aalen_johansen
from sequela.survival.concordance import concordance
from sequela.survival.gray import gray
from sequela.survival.kaplan_meier import kaplan_meier
from sequela.survival.log_rank import log_rank

_CAUSES = {"pcm": 1, "death": 2}


def of_kaplan_meier(data: DataSet, what: str) -> Computed | None:
    """A value of `survfit` (log-log): `S(DAY)`, `se(DAY)`, `lo(DAY)`, `hi(DAY)`, `median…`."""
    curve = kaplan_meier(*data.outcome())
    if what.startswith("median"):
        value, (low, high) = curve.median()
        found = {"median": value, "median_lo_loglog": low, "median_hi_loglog": high}
        known = found.get(what)
        return None if known is None else Computed(known)
    kind, days = _at_day(what)
    if not len(days):
        return None
    match kind:
        case "S":
            return Computed(float(curve.at(days)[0]))
        case "se":
            return Computed(float(curve.standard_error(days)[0]))
        case "lo" | "hi":
            return Computed(float(curve.interval(days)[kind == "hi"][0]))
    return None


def of_restricted_mean(data: DataSet, what: str) -> Computed | None:
    """The mean survival time within a year, or its standard error `se`."""
    if what not in ("", "se"):
        return None
    return Computed(kaplan_meier(*data.outcome()).restricted_mean(365.0)[what == "se"])


def of_log_rank(data: DataSet, test: str, what: str) -> Computed | None:
    """A value of `survdiff`: `GROUP[_strata_STRATUM].chisq` or `.p`; rho 1 for `petopeto`."""
    groups, _, kind = what.rpartition(".")
    field, _, stratum = groups.partition("_strata_")
    if not field or kind not in ("chisq", "p"):
        return None
    strata = data.code(stratum) if stratum else None
    found = log_rank(
        *data.outcome(), data.code(field), strata=strata, rho=float(test == "petopeto")
    )
    return Computed(found.statistic if kind == "chisq" else found.p)


def of_concordance(data: DataSet, what: str) -> Computed | None:
    """A value of `concordance`: `[-]RISK.` and `C[WEIGHT]`, `C_se[WEIGHT]` or `count.…`.

    Weights n are Harrell's and n/G2 Uno's; S/G is proportional to n/G2 where no censoring ties
    with an event, as in these data.
    """
    name, _, value = what.partition(".")
    if name.removeprefix("-") not in data.table.columns:
        return None
    time, event = data.outcome()
    risk = -data.number(name[1:]) if name[0] == "-" else data.number(name)
    if value.startswith("count."):
        pairs = concordance(time, event, risk)
        counts = {
            "concordant": pairs.concordant,
            "discordant": pairs.discordant,
            "tied.x": pairs.tied_risk,
            "tied.y": pairs.tied_time,
            "tied.xy": pairs.tied_both,
        }
        kind = value.removeprefix("count.")
        return Computed(counts[kind]) if kind in counts else None
    kind, _, weight = value.rstrip("]").partition("[")
    weight, limited, until = weight.partition(",ymax")
    if kind not in ("C", "C_se") or weight not in ("n", "S/G", "n/G2"):
        return None
    if limited and not until.isdecimal():
        return None
    pairs = concordance(
        time,
        event,
        risk,
        pairs="harrell" if weight == "n" else "uno",
        horizon=float(until) if until else None,
    )
    return Computed(pairs.standard_error() if kind == "C_se" else pairs.value)


def of_concordance_difference(data: DataSet, what: str) -> Computed | None:
    """The contrast of two concordances: `FIRST_SECOND.diff` or `.z`."""
    names, _, kind = what.partition(".")
    pair = names.split("_", 1)
    if kind not in ("diff", "z") or len(pair) < 2:
        return None
    first, second = (concordance(*data.outcome(), data.number(name)) for name in pair)
    difference, error = first.less(second)
    return Computed(difference if kind == "diff" else difference / error)


def of_incidence(data: DataSet, what: str) -> Computed | None:
    """A value of `survfit` of competing risks: `CAUSE(DAY)` or `CAUSE.se(DAY)`."""
    kind, days = _at_day(what)
    cause, _, error = kind.partition(".")
    if cause not in _CAUSES or error not in ("", "se") or not len(days):
        return None
    curve = aalen_johansen(*data.first_event(), cause=_CAUSES[cause])
    return Computed(float((curve.standard_error(days) if error else curve.at(days))[0]))


def of_naive_incidence(data: DataSet, what: str) -> Computed | None:
    """One minus Kaplan-Meier with the competing event censored, the biased one: `CAUSE(DAY)`."""
    cause, days = _at_day(what)
    if cause not in _CAUSES or not len(days):
        return None
    time, event = data.first_event()
    return Computed(1 - float(kaplan_meier(time, event == _CAUSES[cause]).at(days)[0]))


def of_gray(data: DataSet, what: str) -> Computed | None:
    """A value of Gray's test in `cuminc`: `GROUP.CAUSE.stat` or `.p`."""
    group, _, rest = what.partition(".")
    cause, _, kind = rest.partition(".")
    if cause not in _CAUSES or kind not in ("stat", "p"):
        return None
    found = gray(*data.first_event(), data.code(group), cause=_CAUSES[cause])
    return Computed(found.p if kind == "p" else found.statistic)


def _at_day(what: str) -> tuple[str, Float[np.ndarray, " time"]]:
    """`lo(180)` is `lo` at day 180; without a day there is none."""
    kind, _, day = what.rstrip(")").partition("(")
    return kind, np.array([float(day)] if day.isdecimal() else [])
