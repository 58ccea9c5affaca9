"""The numbers of subgroups of the patients: age bands, sites, vendors, receptor status."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import polars as pl

from sequela.errors import DataError, UndefinedMetricError
from sequela.evaluation.calibration import calibration_measures, forecast
from sequela.evaluation.discrimination import concordance_of
from sequela.evaluation.estimate import Estimate, estimated
from sequela.evaluation.outcome import Question
from sequela.evaluation.rows import Rows
from sequela.evaluation.settings import EvaluationSettings
from sequela.evaluation.uncertainty import Resampler, Resampling, measured

NOT_KNOWN = "not known"
_MOST_CATEGORIES = 8
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_AGES = (50.0, 60.0, 70.0)
_YEARS = (1.0, 120.0)


@dataclass(frozen=True)
class Division:
    """To which subgroup each patient, or each row of a patient, belongs.

    Attributes:
        column: What the patients are divided by.
        table: patient_id, the subgroup's `name`, and `landmark` where it is one of rows.
        order: The subgroups as they are listed.
    """

    column: str
    table: pl.DataFrame
    order: tuple[str, ...]

    @classmethod
    def of(cls, column: str, table: pl.DataFrame) -> Division:
        """Divide by a column: its values, or four bands where it holds many different numbers.

        Bands of age are under 50, 50, 60, 70 and over; those of other numbers are quarters.

        Args:
            column: Which column of `table`.
            table: patient_id, perhaps landmark, and the column; rows may repeat.

        Raises:
            DataError: If a patient (and landmark) has two different values.
        """
        keys = [name for name in ("patient_id", "landmark") if name in table.columns]
        text = pl.col(column).cast(pl.String).str.strip_chars()
        named = table.select(*keys, pl.when(text != "").then(text).alias("name")).unique()
        twice = named.select(pl.struct(keys).is_duplicated().sum()).item()
        if twice:
            raise DataError(
                f"{column} has two values or more for one patient (and landmark), in {twice} rows",
                hint="give each patient one value, or each row of a patient its own landmark",
            )
        names, order = _banded(named["name"], column)
        known = named.with_columns(names.fill_null(NOT_KNOWN).alias("name"))
        return cls(column, known, (*order, NOT_KNOWN))

    def names(self, rows: Rows) -> list[str]:
        """The subgroup of each row; `not known` for those that the table lacks."""
        own = pl.DataFrame(
            {
                "patient_id": [rows.patients[code] for code in rows.patient.tolist()],
                "landmark": rows.landmark,
            }
        )
        keys = [name for name in self.table.columns if name != "name"]
        joined = own.join(self.table, on=keys, how="left", maintain_order="left")
        return joined["name"].fill_null(NOT_KNOWN).to_list()


def _banded(values: pl.Series, column: str) -> tuple[pl.Series, list[str]]:
    """The values themselves, or the bands in which many different numbers fall; and in order."""
    known = values.drop_nulls()
    numbers = known.cast(pl.Float64, strict=False)
    if numbers.null_count():
        return values, sorted(known.unique().to_list(), key=_ascending)
    if numbers.n_unique() <= _MOST_CATEGORIES:
        return values, sorted(known.unique().to_list(), key=float)
    cuts = _cuts(numbers, column)
    names = [
        f"under {cuts[0]:g}",
        *(f"{low:g} to under {high:g}" for low, high in pairwise(cuts)),
        f"{cuts[-1]:g} and over",
    ]
    bands = [
        None if number is None else names[bisect_right(cuts, number)]
        for number in values.cast(pl.Float64)
    ]
    return pl.Series(bands, dtype=pl.String), names


def _ascending(name: str) -> tuple[float, str]:
    """By the first number in a name, as in `<=20`, `20-50`, `>50`; names without one come last."""
    found = _NUMBER.search(name)
    if found is None:
        return float("inf"), name
    return float(found[0]) + {"<": -1e-6, ">": 1e-6}.get(name.strip()[0], 0.0), name


def _cuts(numbers: pl.Series, column: str) -> list[float]:
    """Where bands begin, the first aside; only those that numbers fall on both sides of."""
    values = numbers.to_numpy()
    years = column.lower() == "age" and _YEARS[0] <= float(np.median(values)) <= _YEARS[1]
    cuts = _AGES if years else np.unique(np.quantile(values, (0.25, 0.5, 0.75))).tolist()
    parting = [cut for cut in cuts if values.min() < cut <= values.max()]
    return parting or [float(np.median(values))]


def subgroups_of(
    rows: Rows, question: Question, settings: EvaluationSettings, division: Division
) -> dict[str, object]:
    """Counts, Harrell's C and observed over expected of each subgroup, as `evaluation.json`.

    Subgroups with fewer events than `settings.minimum_events` keep their counts and lose their
    numbers.
    """
    names = np.array(division.names(rows))
    resampler = Resampler(Resampling.asked(settings))
    groups = [
        _group(name, rows.take(names == name), question, settings, resampler)
        for name in division.order
        if (names == name).any()
    ]
    return {"column": division.column, "groups": groups}


def _group(
    name: str,
    rows: Rows,
    question: Question,
    settings: EvaluationSettings,
    resampler: Resampler,
) -> dict[str, object]:
    events = int(question.cases(rows).sum())

    def harrell() -> Estimate:
        _require_events(events, settings)
        return concordance_of(rows, question, resampler, "harrell", question.horizon).estimate

    def observed_expected() -> Estimate:
        _require_events(events, settings)
        made = forecast(rows, question, otherwise=settings.table_days)
        for mask in rows.run_masks:
            made.question.require(rows.take(mask))
        measure = calibration_measures(made)["observed_expected"]
        return measured(rows, measure, resampler).estimate

    return {
        "name": name,
        "patients": len(np.unique(rows.patient)),
        "rows": len(rows),
        "events": events,
        "metrics": {
            "harrell_c": estimated(harrell).as_json(),
            "observed_expected": estimated(observed_expected).as_json(),
        },
    }


def _require_events(events: int, settings: EvaluationSettings) -> None:
    if events < settings.minimum_events:
        raise UndefinedMetricError(
            f"{events} events, fewer than the {settings.minimum_events} asked for"
        )
