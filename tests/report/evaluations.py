"""Evaluations as `evaluation.json` holds them, made up for pages."""

from __future__ import annotations

from typing import Any

VARIANTS = ("kaplan-meier", "cox-clinical", "timing-only", "st-i", "l-b", "lumin")
REFUSED = "all patients have the same risk"


def estimate(value: float, width: float = 0.06, p: float | None = None) -> dict[str, Any]:
    ends = {"value": value, "low": value - width, "high": value + width, "level": 0.95}
    source = {"method": "patient bootstrap, percentile", "resamples": 1000, "unused": 0}
    return {**ends, **source, "p": p, "reason": ""}


def undefined(reason: str) -> dict[str, Any]:
    return {**estimate(0.0), "value": None, "low": None, "high": None, "reason": reason}


def risk_group(name: str, drop: float) -> dict[str, Any]:
    survival = [1 - drop * step / 4 for step in range(21)]
    days = [365.25 * step / 4 for step in range(21)]
    curve = {
        "kind": "kaplan-meier",
        "time": days,
        "estimate": survival,
        "low": [None, *[value - 0.05 for value in survival[1:]]],
        "high": [None, *[min(value + 0.05, 1.0) for value in survival[1:]]],
    }
    at_risk = {"time": days[::4], "count": [60 - 7 * step for step in range(6)]}
    return {"name": name, "counts": {"patients": 60}, "curve": curve, "at_risk": at_risk}


def risk_groups(auc: float) -> dict[str, Any]:
    rows = [
        {"name": name, "event": event, "event_free": free, "competing": 2, "excluded": 9}
        | {"event_rate": event / (event + free + 2), "incidence": estimate(share, 0.1)}
        for name, event, free, share in (("low", 5, 44, 0.12), ("high", 22, 27, 0.46))
    ]
    return {
        "reason": "",
        "rule": "at or above the median risk of the validation rows is high",
        "cuts": [0.2],
        "groups": [risk_group("low", 0.03), risk_group("high", 0.09)],
        "hazard_ratio": estimate(1 + 3 * (auc - 0.5), 0.4, p=0.0213),
        "log_rank": {"statistic": 12.1, "freedom": 1, "p": 0.0004, "reason": ""},
        "horizon_table": {"day": 1826.25, "rows": rows},
    }


def model(variant: str, auc: float) -> dict[str, Any]:
    names = ("harrell_c", "uno_c", "brier", "ipa", "observed_expected", "calibration_slope", "ici")
    metrics = {
        "auc": estimate(auc),
        "accuracy": estimate(auc - 0.0321),
        "sensitivity": estimate(auc - 0.1),
        "specificity": estimate(auc + 0.051),
        **{name: estimate(auc - 0.013 * place) for place, name in enumerate(names)},
    }
    groups = risk_groups(auc)
    if variant == "kaplan-meier":
        groups = {"reason": REFUSED, "cuts": [], "groups": []}
        metrics["calibration_slope"] = undefined(REFUSED)
    predicted = [0.08, 0.17, 0.25, 0.36, 0.58]
    return {
        "name": variant,
        "model": variant.split("-")[0],
        "variant": variant,
        "endpoint": "recurrence",
        "split": "test",
        "provenance": {
            "protocol": "landmark",
            "synthetic": True,
            "epoch_chosen_on": "validation",
            "cohort": "3f9a" * 16,
            "splits": "77b1" * 16,
            "configuration": "c0de" * 16,
            "notes": [],
        },
        "warnings": [],
        "horizon": 1826.25,
        "definition": "recurrence within 5 years of the landmark, death before it counts as none",
        "counts": {"patients": 120, "rows": 120, "runs": 1, "events": 34, "competing": 4}
        | {"censored": 82, "validation_rows": 60},
        "metrics": metrics,
        "risk_groups": groups,
        "calibration": {
            "reason": "",
            "horizon": 1826.25,
            "groups": {
                "predicted": predicted,
                "observed": [0.05, 0.2, 0.22, 0.41, 0.6],
                "low": [0.01, 0.1, 0.12, 0.26, 0.42],
                "high": [0.2, 0.36, 0.38, 0.59, 0.77],
                "rows": [24] * 5,
            },
        },
        "risk_histogram": {
            "edges": [step / 10 for step in range(11)],
            "case": [1, 2, 4, 6, 6, 5, 4, 3, 2, 1],
            "control": [18, 16, 10, 8, 5, 4, 2, 1, 0, 0],
            "unknown": [4, 5, 4, 3, 2, 2, 1, 1, 0, 0],
        },
        "decision_curve": {
            "horizon": 1826.25,
            "threshold": [0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5],
            "model": [0.25, 0.22, 0.2, 0.17, 0.15, 0.13, 0.09, 0.05],
            "treat_all": [0.24, 0.2, 0.156, 0.1, 0.04, -0.02, -0.2, -0.43],
            "treat_none": [0.0] * 8,
            "reason": "",
        },
    }


def comparison(aucs: dict[str, float]) -> dict[str, Any]:
    names = [name for name in aucs if name != "kaplan-meier"]
    differences = [
        {
            "first": first,
            "second": second,
            "difference": estimate(aucs[first] - aucs[second], 0.07, p=0.01),
            "p_holm": 0.012 if abs(aucs[first] - aucs[second]) > 0.08 else 0.31,
            "reason": "",
        }
        for place, first in enumerate(names)
        for second in names[place + 1 :]
    ]
    return {
        "endpoint": "recurrence",
        "split": "test",
        "metric": "auc",
        "models": names,
        "patients": 120,
        "rows": 120,
        "method": "DeLong",
        "differences": differences,
        "refused": [{"name": "kaplan-meier", "reason": "it gives every patient the same risk"}],
    }


def evaluation() -> dict[str, Any]:
    aucs = {variant: 0.5 + 0.05 * row for row, variant in enumerate(VARIANTS)}
    return {
        "format": "sequela-evaluation",
        "version": 1,
        "settings": {"bootstraps": 1000, "level": 0.95},
        "models": [model(variant, auc) for variant, auc in reversed(aucs.items())],
        "comparisons": [comparison(aucs)],
        "undefined": [],
    }
