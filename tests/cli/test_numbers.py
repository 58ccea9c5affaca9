from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import yaml

from sequela.cli import main as command_line
from sequela.cohort.cohort import read_cohort
from sequela.evaluation.predictions import SCHEMA, Predictions, Provenance
from sequela.evaluation.settings import EvaluationSettings
from sequela.training.cohort_evaluation import evaluate_cohort


@pytest.fixture
def colleague(tmp_path: Path) -> Path:
    """A colleague's table, with columns of her own beside those that are needed."""
    generator = np.random.default_rng(0)
    risk = generator.normal(size=150)
    path = tmp_path / "hers.csv"
    pl.DataFrame(
        {
            "mrn": [f"p{index}" for index in range(150)],
            "time": generator.exponential(900 * np.exp(-risk)).round() + 1,
            "event": generator.integers(2, size=150),
            "risk": risk,
            "receptor": np.where(risk > 0, "positive", "negative"),
        }
    ).write_csv(path)
    return path


def run(*words: str) -> int:
    with pytest.raises(SystemExit) as caught:
        command_line.main([*words, "evaluation.bootstraps=10", "evaluation.curve_bootstraps=0"])
    return int(caught.value.code or 0)


def test_subgroups_by_a_column_of_the_table(
    colleague: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("evaluate", str(colleague), "--column", "patient_id=mrn", "--by", "receptor")
    assert run(*words) == 0
    page = capsys.readouterr().out
    assert "receptor" in page
    assert "negative" in page
    content = json.loads(colleague.with_name("evaluation.json").read_text())
    (division,) = content["models"][0]["subgroups"]
    assert [group["name"] for group in division["groups"]] == ["negative", "positive"]
    assert sum(group["patients"] for group in division["groups"]) == 150


def test_a_column_that_is_not_there_is_a_usage_fault(
    colleague: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("evaluate", str(colleague), "--column", "patient_id=mrn", "--by", "vendor") == 2
    assert "no column vendor" in capsys.readouterr().err


@pytest.fixture
def cohort(tmp_path: Path) -> Path:
    """A cohort of tables alone, with predictions of all its patients."""
    folder = tmp_path / "cohort"
    work = folder / "work"
    work.mkdir(parents=True)
    manifest = {
        "name": "tables",
        "synthetic": True,
        "endpoints": {"recurrence": {"causes": {1: "recurrence"}, "cause": 1}},
        "clinical": {"grade": {"kind": "ordinal", "levels": ["1", "2", "3"]}},
        "tables": {name: {"file": f"{name}.csv"} for name in ("patients", "outcomes")},
    }
    (folder / "cohort.yaml").write_text(yaml.safe_dump(manifest))
    generator = np.random.default_rng(4)
    names = [f"P{index}" for index in range(90)]
    risk = generator.normal(size=90)
    outcome = {
        "patient_id": names,
        "endpoint": "recurrence",
        "time": generator.exponential(900 * np.exp(-risk)).round() + 1,
        "event": generator.integers(2, size=90),
    }
    sites = np.where(np.arange(90) % 3 == 0, "north", "south")
    grades = np.arange(90) % 3 + 1
    patients = pl.DataFrame({"patient_id": names, "site": sites, "grade": grades})
    patients.write_csv(folder / "patients.csv")
    pl.DataFrame(outcome).write_csv(folder / "outcomes.csv")
    written = {"model": "m", "variant": "m", "repeat": 0, "fold": 0, "seed": 0, "split": "test"}
    table = pl.DataFrame({**written, **outcome, "landmark": 0.0, "entry": None, "risk": risk})
    typed = table.select(pl.col(name).cast(kind) for name, kind in SCHEMA.items())
    Predictions(typed, Provenance(protocol="landmark")).write(work / "predictions.parquet")
    return folder


@pytest.mark.parametrize(
    ("column", "names"), [("site", ["north", "south"]), ("grade", ["1", "2", "3"])]
)
def test_subgroups_by_what_a_cohort_knows(cohort: Path, column: str, names: list[str]) -> None:
    assert run("evaluate", str(cohort), "--by", column) == 0
    content = json.loads((cohort / "work" / "evaluation.json").read_text())
    (division,) = content["models"][0]["subgroups"]
    assert [group["name"] for group in division["groups"]] == names
    assert sum(group["patients"] for group in division["groups"]) == 90


def test_python_gives_a_cohort_the_same_numbers(cohort: Path) -> None:
    assert run("evaluate", str(cohort)) == 0
    written = json.loads((cohort / "work" / "evaluation.json").read_text())
    settings = EvaluationSettings(bootstraps=10, curve_bootstraps=0)
    predictions = Predictions.read(cohort / "work" / "predictions.parquet")
    again = evaluate_cohort(read_cohort(cohort), cohort / "work", [predictions], settings)
    assert again.as_json() == written
    assert [one["column"] for one in written["models"][0]["subgroups"]] == ["site", "grade"]
