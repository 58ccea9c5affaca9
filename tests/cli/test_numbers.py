from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from sequela.cli import main as command_line


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
