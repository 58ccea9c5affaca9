"""Predictions from a file: ours, or a CSV or Parquet table with its own column names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import polars as pl

from sequela.errors import DataError, UsageError
from sequela.evaluation.predictions import SCHEMA, Predictions, Provenance, is_ours
from sequela.evaluation.rows import check_table
from sequela.parquet import read_parquet
from sequela.redaction import headings

_REQUIRED = ("patient_id", "time", "event", "risk")
_OPTIONAL = ("landmark", "entry", "split", "endpoint", "model", "variant", "repeat", "fold", "seed")
_TEXT = ("patient_id", "split", "endpoint", "model", "variant")
_CURVES = ("survival_", "incidence_")
_ALIAS = {"patient": "patient_id"}
_EVENT_WORDS = {"true": "1", "false": "0", "yes": "1", "no": "0"}


def read_predictions(
    path: Path, mapping: Mapping[str, str] | None = None, *, cause: int = 1
) -> Predictions:
    """Predictions of any model; of a table that we did not write, nothing is known but the table.

    Args:
        path: What `Predictions.write` wrote, which is read as it is; or CSV with a header, or
            Parquet, a row a patient (and landmark).
        mapping: Our name to the file's column, where they differ. Ours are `patient_id`
            or `patient`, `time` in days, `event` (0 censored, k >= 1 a cause), `risk` (higher is
            worse), and, optional: `landmark`, `entry`, `split`, `endpoint`, `model`, `variant`,
            `repeat`, `fold`, `seed`, `survival_<days>`, `incidence_<cause>_<days>`.
        cause: The event that is predicted.

    Raises:
        UsageError: If the mapping names what we do not know.
        DataError: If a column is absent or a row cannot be used; every such row is named.
    """
    if path.suffix == ".parquet" and path.is_file() and is_ours(path):
        return Predictions.read(path)
    names = {_ALIAS.get(ours, ours): theirs for ours, theirs in (mapping or {}).items()}
    renamed = _mapped(_read_text(path), names, path.name)
    items = _bad_numbers(renamed)
    if items:
        raise DataError(
            f"{path.name} holds {len(items)} value(s) that are not numbers",
            hint="mend the rows named; times are days, event is 0 or the number of a cause",
            items=tuple(items),
        )
    predictions = Predictions(
        _completed(renamed, path.stem),
        Provenance(protocol="unknown", cause=cause, notes=(f"read from {path.name}",)),
    )
    check_table(predictions.table)
    _refuse_one_two(predictions.table["event"], path.name)
    return predictions


def read_column(
    path: Path, column: str, mapping: Mapping[str, str] | None = None
) -> pl.DataFrame | None:
    """A further column of a predictions table beside patient_id and landmark; None if it lacks it.

    Args:
        path: CSV or Parquet, as `read_predictions` reads it.
        column: As the file calls it.
        mapping: As `read_predictions` takes it.
    """
    table = _read_text(path)
    if column not in table.columns:
        return None
    names = {_ALIAS.get(ours, ours): theirs for ours, theirs in (mapping or {}).items()}
    patient = names.get("patient_id", "patient_id")
    patient = "patient" if patient not in table.columns else patient
    landmark = names.get("landmark", "landmark")
    landmarks = (
        pl.col(landmark).cast(pl.Float64, strict=False)
        if landmark in table.columns
        else pl.lit(0.0)
    )
    return table.select(
        pl.col(patient).alias("patient_id"), landmarks.alias("landmark"), pl.col(column)
    )


def _read_text(path: Path) -> pl.DataFrame:
    try:
        table = (
            read_parquet(path)
            if path.suffix == ".parquet"
            else pl.read_csv(path, infer_schema=False)
        )
    except FileNotFoundError:
        raise UsageError(f"there is no predictions table {path.name}") from None
    except pl.exceptions.PolarsError as error:
        raise DataError(
            f"{path.name} cannot be read as a table", hint="write it as CSV with one header row"
        ) from error
    return table.cast(pl.String)


def _mapped(table: pl.DataFrame, mapping: dict[str, str], name: str) -> pl.DataFrame:
    known = (*_REQUIRED, *_OPTIONAL)
    strange = [one for one in mapping if one not in known and not one.startswith(_CURVES)]
    if strange:
        raise UsageError(
            f"predictions have no column {', '.join(strange)}",
            hint=f"map {', '.join(known)}, survival_<days> or incidence_<cause>_<days>",
        )
    short = "patient_id" not in table.columns and "patient" in table.columns
    defaults = {"patient_id": "patient"} if short else {}
    chosen = {one: mapping.get(one, defaults.get(one, one)) for one in (*known, *mapping)}
    chosen |= {one: one for one in table.columns if one.startswith(_CURVES)}
    absent = [chosen[one] for one in (*_REQUIRED, *mapping) if chosen[one] not in table.columns]
    if absent:
        raise DataError(
            f"{name} lacks the column(s) {', '.join(dict.fromkeys(absent))}",
            hint=f"name its columns with the mapping; it has {headings(table.columns)}",
        )
    present = {one: column for one, column in chosen.items() if column in table.columns}
    renamed = table.select(pl.col(column).alias(one) for one, column in present.items())
    event = pl.col("event").str.strip_chars()
    return renamed.with_columns(event.str.to_lowercase().replace(_EVENT_WORDS).alias("event"))


def _bad_numbers(table: pl.DataFrame) -> list[str]:
    numeric = [one for one in table.columns if one not in _TEXT]
    return [
        f"row {row + 1}, {one}: not a number"
        for one in numeric
        for row in table.select(
            (
                pl.col(one).is_not_null() & pl.col(one).cast(pl.Float64, strict=False).is_null()
            ).arg_true()
        ).to_series()
    ]


def _completed(table: pl.DataFrame, stem: str) -> pl.DataFrame:
    """The table in the contract's columns, with what it does not say filled in."""
    defaults: dict[str, object] = {
        "model": "foreign",
        "variant": stem,
        "endpoint": "event",
        "repeat": "0",
        "fold": "0",
        "seed": "0",
        "split": "test",
        "landmark": "0",
        "entry": None,
    }
    filled = table.with_columns(
        pl.lit(value, dtype=pl.String).alias(name)
        for name, value in defaults.items()
        if name not in table.columns
    )
    curves = [name for name in filled.columns if name.startswith(_CURVES)]
    numbers = [name for name, kind in SCHEMA.items() if kind != pl.String]
    typed = filled.with_columns(pl.col(*numbers, *curves).cast(pl.Float64))
    return typed.select(pl.col(name).cast(kind) for name, kind in SCHEMA.items()).with_columns(
        typed.select(curves)
    )


def _refuse_one_two(event: pl.Series, name: str) -> None:
    if set(event.unique().to_list()) == {1, 2}:
        raise DataError(
            f"in {name} every patient has an event: event is 1 or 2, never 0",
            hint="code censored patients 0 and those with the event 1",
        )
