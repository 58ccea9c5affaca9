"""Audit, evidence, subgroups, recalibration and bounds stand on the page, number by number."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from elements import Element, parse

from sequela.evaluation.evaluate import evaluate
from sequela.evaluation.predictions import Predictions, Provenance, Sampling
from sequela.evaluation.settings import EvaluationSettings
from sequela.evaluation.subgroups import Division
from sequela.report import write_report

BIASED = Sampling(outcome_dependent=True, auc=0.66, low=0.6, high=0.72)
FINDING = {
    "code": "A011",
    "severity": "warning",
    "file": "patients.csv",
    "row": None,
    "column": "site",
    "message": "the site alone tells who has the event: AUC 0.65 (0.55 to 0.75)",
    "hint": "keep a site in one part of the split",
}
AUDIT = {
    "findings": [FINDING],
    "leaks": 0,
    "warnings": 1,
    "measured": {"site": {"auc": 0.65, "low": 0.55, "high": 0.75}},
    "protocol": {"name": "paper"},
}


def predictions(sampling: Sampling | None) -> Predictions:
    generator = np.random.default_rng(0)
    truth = generator.normal(size=240)
    disease = generator.exponential(1500 * np.exp(-truth))
    censor = generator.uniform(500, 4000, 240)
    hazard = np.exp(0.8 * truth) / 1500
    days = (365, 730, 1095, 1461, 1826)
    table = pl.DataFrame(
        {
            "model": "lumin",
            "variant": "lumin",
            "endpoint": "recurrence",
            "repeat": 0,
            "fold": 0,
            "seed": 1,
            "split": np.where(np.arange(240) < 80, "validation", "test"),
            "patient_id": [f"p{number:03d}" for number in range(240)],
            "landmark": 0.0,
            "entry": pl.Series([None] * 240, dtype=pl.Float64),
            "time": np.minimum(disease, censor).round() + 1,
            "event": (disease <= censor).astype(int),
            "risk": truth,
            **{f"survival_{day}": np.exp(-hazard * day) for day in days},
        }
    )
    provenance = Provenance(
        protocol="paper", epoch_chosen_on="validation", splits="77b1", sampling=sampling
    )
    return Predictions(table, provenance)


def written(folder: Path, sampling: Sampling | None) -> tuple[Element, dict[str, Any]]:
    """The page of an evaluation with subgroups, one of them small, and what it was made from."""
    found = predictions(sampling)
    names = ["few" if number % 40 == 0 else "many" for number in range(240)]
    column = found.table.select("patient_id").with_columns(pl.Series("site", names))
    settings = EvaluationSettings(
        bootstraps=30, curve_bootstraps=5, accept_biased_design=sampling is not None
    )
    content = evaluate([found], settings, [Division.of("site", column)])
    content.write(folder / "evaluation.json")
    (folder / "audit.json").write_text(json.dumps(AUDIT))
    path = write_report(folder, folder / "report.html")
    return parse(path.read_text(encoding="utf-8")), content.as_json()


@pytest.fixture(scope="module")
def biased(tmp_path_factory: pytest.TempPathFactory) -> tuple[Element, dict[str, Any]]:
    return written(tmp_path_factory.mktemp("biased"), BIASED)


def section(page: Element, name: str) -> Element:
    (found,) = page.every("section", id=name)
    return found


def test_findings_of_the_audit_are_told_with_their_evidence(
    biased: tuple[Element, dict[str, Any]],
) -> None:
    text = section(biased[0], "audit").text
    assert "A011" in text
    assert "AUC 0.65 (0.55 to 0.75)" in text
    assert "0 leaks, 1 warning" in text


def test_every_number_of_a_biased_design_carries_the_mark(
    biased: tuple[Element, dict[str, Any]], tmp_path: Path
) -> None:
    page, _ = biased
    assert "Outcome-dependent sampling" in page.text
    assert "0.660" in section(page, "evidence").text
    for name in ("performance", "recalibration", "subgroups"):
        numbers = section(page, name).every("data")
        marks = [one for one in section(page, name).every("abbr") if one.text == "†"]
        assert len(numbers) == len(marks) >= 2
    for point in section(page, "summary").every("li"):
        assert not re.search(r"\d \(95% CI", point.text), point.text
    sound, _ = written(tmp_path, None)
    assert "†" not in sound.text


def test_grade_subgroups_maps_and_bounds_are_those_of_the_evaluation(
    biased: tuple[Element, dict[str, Any]],
) -> None:
    page, content = biased
    (model,) = content["models"]
    assert model["evidence"]["grade"] == "held out"
    assert "held out" in [one.text for one in section(page, "evidence").every("td")]
    (division,) = model["subgroups"]
    values = {one["value"] for one in (data.attributes for data in page.every("data"))}
    many = next(group for group in division["groups"] if group["name"] == "many")
    few = next(group for group in division["groups"] if group["name"] == "few")
    assert str(many["metrics"]["harrell_c"]["value"]) in values
    assert few["metrics"]["harrell_c"]["value"] is None
    assert "too few events" in section(page, "subgroups").text
    for one in model["recalibration"]["maps"]:
        assert str(one["after"]["brier"]["value"]) in values
    assert str(model["conformal"]["coverage"]["value"]) in values
    assert len(section(page, "subgroups").every("svg")) == 2
