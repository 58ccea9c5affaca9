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

sys.path.append(str(Path(__file__).parent))  # elements.py, evaluations.py

from elements import Element, parse
from evaluations import evaluation

from sequela.report import write_report


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
