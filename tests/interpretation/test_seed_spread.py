"""The range over seeds is of the same model on the same patients, and of no other."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from sequela.interpretation.seed_spread import seed_spread


def write(runs: Path, name: str, seed: int, risk: list[float], variant: str = "kemm") -> None:
    (runs / name).mkdir(parents=True)
    constants = {"model": "kemm", "variant": variant, "endpoint": "os", "repeat": 0, "fold": 0}
    table = pl.DataFrame({"patient_id": ["A", "B", "C"], "risk": risk, "landmark": [0.0] * 3})
    table = table.with_columns(
        seed=pl.lit(seed), split=pl.lit("test"), **{k: pl.lit(v) for k, v in constants.items()}
    )
    table.write_parquet(runs / name / "predictions.parquet")


def test_risks_and_ranks_of_other_seeds_alone(tmp_path: Path) -> None:
    write(tmp_path, "kemm-seed0", 0, [1.0, 2.0, 3.0])
    assert seed_spread(tmp_path, "kemm-seed0", ["A"]) == {}
    write(tmp_path, "kemm-seed1", 1, [4.0, 1.0, 2.0])
    write(tmp_path, "bias-seed1", 1, [9.0, 9.0, 9.0], "kemm-bias")
    found = seed_spread(tmp_path, "kemm-seed0", ["A", "C"])
    assert found == {
        "A": {"seeds": 2, "risk": [1.0, 4.0], "below": [0, 2]},
        "C": {"seeds": 2, "risk": [2.0, 3.0], "below": [1, 2]},
    }


def test_a_run_that_has_not_predicted_has_no_range(tmp_path: Path) -> None:
    assert seed_spread(tmp_path, "kemm", ["A"]) == {}
