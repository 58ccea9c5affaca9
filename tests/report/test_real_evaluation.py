"""The report of what evaluation really writes, so that the two cannot drift apart."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from sequela.evaluation.evaluate import evaluate
from sequela.evaluation.predictions import Predictions, Provenance
from sequela.evaluation.settings import EvaluationSettings
from sequela.report import write_report
from sequela.storage import write_json

PATIENTS = 80


def predictions(variant: str, skill: float) -> Predictions:
    generator = np.random.default_rng(3)
    tables = []
    for split in ("validation", "test"):
        severity = generator.normal(size=PATIENTS)
        event_time = generator.exponential(2000 * np.exp(-severity))
        censoring = generator.uniform(300, 4000, size=PATIENTS)
        noise = generator.normal(size=PATIENTS)
        risk = 1 / (1 + np.exp(-(skill * severity + (noise if skill else 0))))
        tables.append(
            pl.DataFrame(
                {
                    "model": variant,
                    "variant": variant,
                    "endpoint": "recurrence",
                    **dict.fromkeys(("repeat", "fold", "seed"), 0),
                    "split": split,
                    "patient_id": [f"{split}-{number}" for number in range(PATIENTS)],
                    "landmark": 100.0,
                    "entry": pl.Series([None] * PATIENTS, dtype=pl.Float64),
                    "time": np.minimum(event_time, censoring),
                    "event": (event_time <= censoring).astype(np.int64),
                    "risk": risk,
                    "survival_1826": 1 - risk,
                }
            )
        )
    provenance = Provenance(
        protocol="landmark", horizon=1826.0, epoch_chosen_on="validation", synthetic=True
    )
    return Predictions(pl.concat(tables), provenance)


def test_a_real_evaluation_fills_the_page(tmp_path: Path, read_page: Callable[[Path], Any]) -> None:
    found = [predictions(*pair) for pair in (("kaplan-meier", 0.0), ("st-i", 0.3), ("lumin", 2.0))]
    document = evaluate(found, EvaluationSettings(bootstraps=20)).as_json()
    write_json(tmp_path / "evaluation.json", document)
    for model in document["models"]:
        for group in model["risk_groups"]["groups"]:
            years = np.array(group["at_risk"]["time"]) / 365.25
            assert 3 <= len(years) <= 7
            np.testing.assert_array_equal(years, years.round())
    page = read_page(write_report(tmp_path, tmp_path / "report.html"))
    sections = {element.attributes["id"] for element in page.every("section")}
    needed = {"performance", "comparison", "survival", "table", "calibration", "decision"}
    assert needed <= sections
    lumin = page.every("tr", data_model="lumin")[0]
    assert len(lumin.every("data")) == len(lumin.every("td")) == 7
    flat = page.every("tr", data_model="kaplan-meier")[0]
    assert any(cell.text.startswith("undefined") for cell in flat.every("td"))
    assert not page.every("span", title="it was not computed")
    assert "Synthetic data" in page.every("header")[0].text
