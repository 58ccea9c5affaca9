"""How far the same model, trained with other seeds, says something else of the same patients."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

_SAME = ("model", "variant", "endpoint", "repeat", "fold", "landmark", "split")


def seed_spread(runs: Path, own: str, patients: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The range of each patient's risk, and of its rank, over runs that differ in their seed.

    Args:
        runs: The folder of the runs.
        own: The run that is explained.
        patients: Of its test part.

    Returns:
        By patient: how many `seeds`, the least and the largest `risk`, and of the other test
        patients, those `below`; empty where there is one seed.
    """
    file = runs / own / "predictions.parquet"
    if not file.is_file():
        return {}
    ours = pl.read_parquet(file).filter(split="test")
    tables = [ours.select("patient_id", "seed", "risk")]
    for path in sorted(runs.glob("*/predictions.parquet")):
        theirs = pl.read_parquet(path)
        if path != file and set(_SAME) <= set(theirs.columns):
            theirs = theirs.join(ours.select(*_SAME, "patient_id"), on=[*_SAME, "patient_id"])
            if len(theirs) == len(ours):
                tables.append(theirs.select("patient_id", "seed", "risk"))
    joined = pl.concat(tables).unique(["patient_id", "seed"], maintain_order=True)
    if joined["seed"].n_unique() < 2:
        return {}
    ranked = joined.with_columns(below=pl.col("risk").rank("min").over("seed").cast(pl.Int64) - 1)
    chosen = ranked.filter(pl.col("patient_id").is_in(list(patients)))
    return {
        str(patient): {
            "seeds": len(rows),
            "risk": [rows["risk"].min(), rows["risk"].max()],
            "below": [rows["below"].min(), rows["below"].max()],
        }
        for (patient,), rows in chosen.group_by(["patient_id"])
    }
