"""Split files: read, held to their columns, and to one part a patient and fold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl

from sequela.cohort.division import PARTS
from sequela.errors import DataError, LeakageError, LockedError

SCHEMA = pl.Schema(
    {"repeat": pl.Int64, "fold": pl.Int64, "patient_id": pl.String, "split": pl.String}
)
REDRAW = "restore splits.csv, or delete splits.csv and splits.json and every run made with them"


def read_published(path: Path) -> pl.DataFrame:
    """A published file; where it says train and val only, val is what it was tested on.

    Raises:
        DataError: If it is not a table of splits.
        LeakageError: If a patient is in two parts of one fold.
    """
    table = _read_csv(path)
    if "repeat" not in table.columns:
        table = table.with_columns(repeat=pl.lit("0"))
    names = {"val": "validation", "valid": "validation"}
    table = table.with_columns(pl.col("split").str.to_lowercase().replace(names))
    if "test" not in table["split"]:
        table = table.with_columns(pl.col("split").replace({"validation": "test"}))
    table = _cast(table, path.name)
    _require_one_part(table)
    return table


def read_table(path: Path) -> pl.DataFrame:
    """The table that `Splits.write` wrote.

    Raises:
        DataError: If there is none, or it is not one.
        LeakageError: If a patient is in two parts of one fold.
    """
    table = _cast(_read_csv(path), path.name)
    _require_one_part(table)
    return table


def _read_csv(path: Path) -> pl.DataFrame:
    try:
        table = pl.read_csv(path, infer_schema=False)
    except FileNotFoundError:
        raise DataError(
            f"there is no split file {path.name}", hint="`sequela train` draws one"
        ) from None
    except pl.exceptions.PolarsError:
        raise DataError(f"{path.name} is not a table of splits", hint=REDRAW) from None
    missing = {"fold", "patient_id", "split"} - set(table.columns)
    if missing:
        raise DataError(
            f"{path.name} lacks the column(s) {', '.join(sorted(missing))}",
            hint="a split file has the columns repeat (may be left out), fold, patient_id, split",
        )
    return table


def _cast(table: pl.DataFrame, name: str) -> pl.DataFrame:
    try:
        table = table.select(list(SCHEMA)).cast(SCHEMA)
    except pl.exceptions.PolarsError:
        raise DataError(
            f"{name} holds a repeat or fold that is not a whole number", hint=REDRAW
        ) from None
    if table["split"].is_in(PARTS).all():
        return table
    raise DataError(f"{name} names a part that is not {', '.join(PARTS)}", hint="use these names")


def read_seal(path: Path) -> dict[str, Any]:
    """What was written beside the table when it was drawn.

    Raises:
        LockedError: If it is missing or broken.
    """
    try:
        seal = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError, RecursionError):
        raise LockedError(f"{path.name} is missing or broken", hint=REDRAW) from None
    if not isinstance(seal, dict) or not {"hash", "cohort", "settings"} <= set(seal):
        raise LockedError(f"{path.name} is not the seal of a split", hint=REDRAW)
    return seal


def _require_one_part(table: pl.DataFrame) -> None:
    counts = table.group_by("repeat", "fold", "patient_id").agg(pl.col("split").n_unique())
    doubled = counts.filter(pl.col("split") > 1)
    if len(doubled):
        folds = doubled.select("repeat", "fold").unique().sort("repeat", "fold").iter_rows()
        raise LeakageError(
            f"{doubled['patient_id'].n_unique()} patient(s) are in two parts of one fold",
            hint="a patient belongs to one part of a fold; draw the splits again",
            items=tuple(f"repeat {repeat}, fold {fold}" for repeat, fold in folds),
        )
