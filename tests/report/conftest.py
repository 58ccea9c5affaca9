from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from PIL import Image

sys.path.append(str(Path(__file__).parent))  # elements.py

from elements import Element, parse

from sequela.report import write_report

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


def write_work(folder: Path) -> None:
    """A work folder as the walk leaves it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "evaluation.json").write_text(json.dumps(evaluation()))
    (folder.parent / "cohort.yaml").write_text(
        "name: serial-mammograms\ndescription: Five planted signals.\nsynthetic: true\n"
        "licence: CC0\n"
    )
    _write_cohort(folder)
    _write_run(folder / "runs" / "lumin")
    _write_images(folder)


def _write_cohort(folder: Path) -> None:
    parts = ["train"] * 224 + ["validation"] * 56 + ["test"] * 120
    rows = [f"p{number},0,0,{part}" for number, part in enumerate(parts)]
    (folder / "splits.csv").write_text("\n".join(["patient_id,repeat,fold,split", *rows]))
    (folder / "splits.json").write_text(json.dumps({"fingerprint": "77b1" * 16}))
    left_out = [f"x{number},,only one exam before the landmark" for number in range(17)]
    left_out += [f"y{number},,recurrence on or before the first exam" for number in range(4)]
    left_out += [f"p{number},e{number},tomosynthesis only" for number in range(9)]
    (folder / "exclusions.csv").write_text("\n".join(["patient_id,exam_id,reason", *left_out]))


def _write_run(folder: Path) -> None:
    folder.mkdir(parents=True)
    protocol = {"name": "landmark", "endpoint": "recurrence", "horizon": 1826.25, "blackout": 90}
    config = {
        "protocol": protocol,
        "split": {"test": 0.3, "validation": 0.2, "folds": 1, "repeats": 1, "seed": 7},
        "train": {"epochs": 12, "batch": 24, "select": "auc"},
    }
    (folder / "config.yaml").write_text(json.dumps(config))
    here = {"python": "3.12.1", "platform": "Linux", "packages": {"torch": "2.15.0"}}
    (folder / "versions.json").write_text(json.dumps({"environments": [here]}))
    epochs = [
        {"epoch": epoch, "train_loss": 0.7 / epoch**0.4, "validation": {"loss": 0.72 / epoch**0.2}}
        for epoch in range(1, 13)
    ]
    (folder / "log.jsonl").write_text("".join(json.dumps(epoch) + "\n" for epoch in epochs))


def _write_images(folder: Path) -> None:
    prepared, explanations = folder / "prepared", folder / "explanations"
    prepared.mkdir(exist_ok=True)
    explanations.mkdir(exist_ok=True)
    vendors = ["Hologic"] * 900 + ["GE"] * 433
    pl.DataFrame(
        {"vendor": vendors, "warnings": ["no breast; odd window"] + [""] * 1332}
    ).write_parquet(prepared / "images.parquet")
    y, x = np.mgrid[:256, :256] / 255
    breast = 200 * np.clip(1 - (x / 0.7) ** 2 - ((y - 0.5) / 0.45) ** 2, 0, 1) ** 0.4
    heat = np.exp(-((x - 0.3) ** 2 + (y - 0.4) ** 2) / 0.01)[::4, ::4]
    overlay = np.stack([heat * 0 + 255, 160 * heat, heat * 0, 190 * heat], axis=-1)
    Image.fromarray(breast.astype(np.uint8)).save(explanations / "image.png")
    Image.fromarray(overlay.astype(np.uint8), "RGBA").save(explanations / "map.png")
    Image.fromarray(np.tile(breast[::2, ::2], (3, 6)).astype(np.uint8)).save(
        prepared / "contact-sheet.png"
    )
    (explanations / "explanations.json").write_text(json.dumps(explained()))


def explained() -> dict[str, Any]:
    kinds = ("L CC", "L MLO", "R CC", "R MLO")
    views = [{"kind": kind, "image": "image.png", "map": "map.png"} for kind in kinds]
    words = [["Scar", 0.9], [" tissue", 0.4], [" in the left breast,", 0.0], [" unchanged.", -0.7]]
    exams = [
        {"day": 400.0, "views": views[:2], "text": "", "tokens": []},
        {"day": 1131.0, "views": views, "text": "Scar …", "tokens": words},
    ]
    patient = {"risk": 0.81, "landmark": 1131.0, "exams": exams}
    why = ("Highest risk among patients with a recurrence", "Lowest risk among those without")
    return {
        "rule": "Chosen by rule, not by eye: the highest risk with a recurrence and so on.",
        "patients": [
            {**patient, "why": text, "outcome": "Recurrence after 2 years"} for text in why
        ],
        "checks": {
            "pointing": [
                {"name": "as trained", "hits": 31.0, "views": 40},
                {"name": "weights shuffled", "hits": 6.0, "views": 40},
            ],
            "likeness": 0.07,
        },
    }


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "cohort" / "work"
    write_work(folder)
    return folder


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a whole work folder."""
    folder = tmp_path_factory.mktemp("cohort") / "work"
    write_work(folder)
    return write_report(folder, folder / "report.html")


@pytest.fixture(scope="session")
def page(written: Path) -> Element:
    """The same as elements."""
    return parse(written.read_text(encoding="utf-8"))


@pytest.fixture
def read_page() -> Callable[[Path], Element]:
    """A page as elements; fails where the HTML is not well formed."""
    return lambda path: parse(path.read_text(encoding="utf-8"))
