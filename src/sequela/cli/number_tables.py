"""Numbers of an evaluation as tables for the terminal."""

from __future__ import annotations

from itertools import compress
from typing import Any

from rich.markup import escape
from rich.table import Table

UNDEFINED = "undefined"
_SHOWN = {
    "auc": "AUC",
    "accuracy": "ACC",
    "sensitivity": "sens.",
    "specificity": "spec.",
    "harrell_c": "C",
}


def performance(content: dict[str, Any]) -> list[Table | str]:
    """The performance of every model as a table for the terminal, and what must be said with it."""
    return [_performance(content), *_remarks(content)]


def _performance(content: dict[str, Any]) -> Table:
    """A column is left out where it is undefined for all models; the remarks say why."""
    rows = [
        [
            *(stacked(model["metrics"][name]) for name in _SHOWN),
            stacked(model["risk_groups"].get("hazard_ratio") or {}, digits=2),
        ]
        for model in content["models"]
    ]
    heads = (*_SHOWN.values(), "HR")
    told = [any(row[place] != UNDEFINED for row in rows) for place in range(len(heads))]
    table = Table("model", *compress(heads, told), box=None, pad_edge=False)
    for model, row in zip(content["models"], rows, strict=True):
        table.add_row(escape(model["name"]), *compress(row, told))
    return table


def _remarks(content: dict[str, Any]) -> list[str]:
    warnings = {
        f"{model['name']}: {warning}"
        for model in content["models"]
        for warning in model["warnings"]
    }
    return [escape(line) for line in (*sorted(warnings), *_undefined(content))]


def _undefined(content: dict[str, Any]) -> list[str]:
    """A line for what one reason leaves undefined of the same models."""
    of: dict[tuple[str, str], list[str]] = {}
    for each in content["undefined"]:
        of.setdefault((each["model"], each["reason"]), []).append(each["metric"])
    lines: dict[tuple[str, str], list[str]] = {}
    for (model, reason), metrics in of.items():
        lines.setdefault((", ".join(metrics), reason), []).append(model)
    every = {model["name"] for model in content["models"]}
    return [
        f"undefined: {'all models' if every == {*models} else ', '.join(models)}: "
        f"{metrics}: {reason}"
        for (metrics, reason), models in lines.items()
    ]


def page(content: dict[str, Any], *, divided: bool = True) -> list[Table | str]:
    """Everything that an evaluation prints: a table a kind of number, then what must be said.

    Args:
        content: Of `evaluation.json`.
        divided: Whether subgroups are printed, or only named.
    """
    tables = [
        _patients(content),
        _performance(content),
        _probabilities(content),
        _over_time(content),
        _recalibrated(content),
        _bounds(content),
        _spread(content),
        *(subgroups(content) if divided else ()),
        *(differences(each) for each in content["comparisons"]),
    ]
    named = [] if divided else _divisions(content)
    return [*(each for each in tables if each.row_count), *named, *_remarks(content)]


def _divisions(content: dict[str, Any]) -> list[str]:
    found = {one["column"]: None for model in content["models"] for one in model["subgroups"]}
    told = "subgroups are in evaluation.json and the report, by " + ", ".join(found)
    return [escape(told)] if found else []


def _patients(content: dict[str, Any]) -> Table:
    heads = ("model", "evidence", "patients", "events", "follow-up", "horizon")
    table = Table(*heads, box=None, pad_edge=False)
    for model in content["models"]:
        counts, median = model["counts"], model["follow_up"]["median"]["value"]
        table.add_row(
            escape(model["name"]),
            model["evidence"]["grade"],
            str(counts["patients"]),
            str(counts["events"]),
            "not reached" if median is None else f"{median:.0f} days",
            "all follow-up" if model["horizon"] is None else f"{model['horizon']:g} days",
        )
    return table


_OF_PROBABILITIES = {
    "uno_c": "Uno C",
    "brier": "Brier",
    "ipa": "IPA",
    "observed_expected": "O/E",
    "calibration_slope": "slope",
    "ici": "ICI",
}


def _probabilities(content: dict[str, Any]) -> Table:
    """Uno's C, and how true predicted probabilities come."""
    table = Table("model", *_OF_PROBABILITIES.values(), box=None, pad_edge=False)
    for model in content["models"]:
        cells = [stacked(model["metrics"][name]) for name in _OF_PROBABILITIES]
        table.add_row(escape(model["name"]), *cells)
    return table


def _over_time(content: dict[str, Any]) -> Table:
    """Numbers over all time, and of incidence where causes compete."""
    competes = any(model.get("competing_risks") for model in content["models"])
    heads = ["model", "integrated Brier", "its IPA", "days", "PH test p"]
    heads += ["Wolbers C", "subdistr. HR", "Gray p"] if competes else []
    table = Table(*heads, box=None, pad_edge=False)
    for model in content["models"]:
        found, rivals = model["over_time"], model["competing_risks"]
        span = "–" if found["from"] is None else f"{found['from']:.0f}–{found['to']:.0f}"
        test = model["risk_groups"].get("proportional_hazards") or {}
        numbers = [stacked(found[name]) for name in ("integrated_brier", "integrated_ipa")]
        cells = [*numbers, span, probability(test.get("p"))]
        if rivals:
            ratio = stacked(rivals["subdistribution_hazard_ratio"], digits=2)
            cells += [stacked(rivals["concordance"]), ratio, probability(rivals["gray"]["p"])]
        table.add_row(escape(model["name"]), *cells)
    return table


def _bounds(content: dict[str, Any]) -> Table:
    """How often conformal lower bounds on the time to the event held."""
    table = Table("model", "bounds to hold", "held", "median bound", box=None, pad_edge=False)
    for model in content["models"]:
        found = model["conformal"]
        if found["coverage"]["value"] is not None:
            held, days = interval(found["coverage"]), f"{found['median_bound']:.0f} days"
            table.add_row(escape(model["name"]), f"{found['level']:.0%}", held, days)
    return table


def _spread(content: dict[str, Any]) -> Table:
    """How far runs lie apart, which no interval over patients holds."""
    heads = ("model", "runs", "number", "SD over seeds", "SD over folds")
    table = Table(*heads, box=None, pad_edge=False)
    for model in content["models"]:
        for name in ("auc", "harrell_c"):
            if found := model["spread"].get(name):
                apart = [found["over_seeds"], found["over_folds"]]
                cells = ["–" if one is None else f"{one:.3f}" for one in apart]
                runs = str(found["runs"])
                table.add_row(escape(model["name"]), runs, _SHOWN[name], *cells)
    return table


def _recalibrated(content: dict[str, Any]) -> Table:
    """Calibration on test patients before and after maps that validation patients fitted."""
    heads = ("model", "recalibrated by", "Brier", "O/E", "slope")
    table = Table(*heads, box=None, pad_edge=False)
    for model in content["models"]:
        found = model["recalibration"]
        kept = [
            (each["name"], each["after"])
            for each in found["maps"]
            if each["after"] and each["name"] == "slope-intercept"
        ]
        if not kept:
            continue
        for name, numbers in [("nothing", found["before"]), *kept]:
            cells = [stacked(numbers[key]) for key in _RECALIBRATED]
            table.add_row(escape(model["name"]), name, *cells)
    return table


_RECALIBRATED = ("brier", "observed_expected", "calibration_slope")


def subgroups(content: dict[str, Any]) -> list[Table]:
    """One table for each division of the patients: what every model does in each subgroup."""
    tables: dict[str, Table] = {}
    for model in content["models"]:
        for division in model["subgroups"]:
            column = division["column"]
            heads = (column, "patients", "events", "Harrell C", "O/E")
            table = tables.setdefault(column, Table("model", *map(escape, heads), box=None))
            for group in division["groups"]:
                cells = [_short(one) for one in group["metrics"].values()]
                counts = str(group["patients"]), str(group["events"])
                table.add_row(escape(model["name"]), escape(group["name"]), *counts, *cells)
    return list(tables.values())


def differences(comparison: dict[str, Any], *, only: str = "") -> Table:
    """One comparison as a table for the terminal; `only` keeps the pairs of one model."""
    title = f"{comparison['metric']} on {comparison['patients']} patients ({comparison['method']})"
    over_runs = any(pair["over_runs"]["value"] is not None for pair in comparison["differences"])
    heads = ["first − second", "difference", "p", "p (Holm)"]
    heads += ["over folds (Nadeau–Bengio)", "p"] if over_runs else []
    table = Table(*heads, title=title, box=None)
    for pair in comparison["differences"]:
        if only and only not in (pair["first"], pair["second"]):
            continue
        p = pair["difference"]["p"]
        table.add_row(
            escape(f"{pair['first']} − {pair['second']}"),
            interval(pair["difference"], sign="+"),
            probability(p),
            probability(pair["p_holm"]),
            *_over_runs(pair["over_runs"] if over_runs else None),
        )
    return table


def _short(estimate: dict[str, Any]) -> str:
    """`0.71 (0.63–0.79)`."""
    if estimate["value"] is None:
        return "undefined"
    ends = "" if estimate["low"] is None else f" ({estimate['low']:.2f}–{estimate['high']:.2f})"
    return f"{estimate['value']:.2f}{ends}"


def _over_runs(estimate: dict[str, Any] | None) -> tuple[str, ...]:
    return () if estimate is None else (interval(estimate, sign="+"), probability(estimate["p"]))


def interval(estimate: dict[str, Any], *, digits: int = 3, sign: str = "") -> str:
    """`0.712 (0.634–0.790)`, or `undefined`."""
    if not estimate or estimate["value"] is None:
        return "undefined"
    form = f"{sign}.{digits}f"
    value = f"{estimate['value']:{form}}"
    if estimate["low"] is None:
        return f"{value} (no interval)"
    return f"{value} ({estimate['low']:{form}} to {estimate['high']:{form}})"


def stacked(estimate: dict[str, Any], *, digits: int = 3) -> str:
    """The same on two lines, narrow enough for a table of many columns."""
    if not estimate or estimate["value"] is None:
        return UNDEFINED
    value = f"{estimate['value']:.{digits}f}"
    if estimate["low"] is None:
        return f"{value}\n[dim]no interval[/]"
    return f"{value}\n[dim]{estimate['low']:.2f}–{estimate['high']:.2f}[/]"


def probability(p: float | None) -> str:
    """A p-value for the terminal."""
    if p is None:
        return "undefined"
    return "<0.001" if p < 0.001 else f"{p:.3f}"
