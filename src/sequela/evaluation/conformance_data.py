"""The public data sets on which R's reference values were computed, as arrays."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import polars as pl
from jaxtyping import Bool, Float, Int, Shaped

from sequela.errors import DataError

_TIME_AND_EVENT = {
    "aml": ("time", "status", 1),
    "gbsg2": ("time", "cens", 1),
    "heart": ("stop", "event", 1),
    "lung": ("time", "status", 2),
    "ovarian": ("futime", "fustat", 1),
    "rossi": ("week", "arrest", 1),
    "veteran": ("time", "status", 1),
}
_SAME = {
    "lung": ("age", "sex"),
    "ovarian": ("age", "rx"),
    "veteran": ("trt", "karno", "diagtime", "age", "prior"),
    "heart": ("age", "year", "surgery"),
    "gbsg2": ("age", "tsize", "pnodes", "progrec", "estrec"),
}
_OTHERWISE = {
    "heart": {"transplant1": "transplant"},
    "gbsg2": {"horThyes": "horTh=yes"},
    # R codes these factors against another level than the table does, hence `not`.
    "rossi": {
        "finyes": "fin",
        "age": "age",
        "raceother": "not race",
        "wexpyes": "wexp",
        "marnot married": "not mar",
        "paroyes": "paro",
        "prio": "prio",
    },
    "mgus2": {"age": "age", "sexM": "sex=M", "mspike": "mspike"},
}
KNOWN = tuple(sorted({*_TIME_AND_EVENT, "mgus2"}))


@dataclass(frozen=True, eq=False)
class DataSet:
    """One published table, with what R's models take from it.

    Attributes:
        name: As R calls it; the file is `NAME.csv`.
        table: Its columns.
    """

    name: str
    table: pl.DataFrame

    def number(self, field: str) -> Float[np.ndarray, " patient"]:
        """A column of numbers; what is missing is NaN.

        Raises:
            DataError: If there is no such column, or it holds words.
        """
        try:
            values: Float[np.ndarray, " patient"] = self._column(field).cast(pl.Float64).to_numpy()
        except pl.exceptions.InvalidOperationError:
            raise DataError(f"{self.name}.csv, {field}: not a column of numbers") from None
        return values

    def code(self, field: str) -> Int[np.ndarray, " patient"]:
        """A column of groups, numbered in the order of their names."""
        return np.unique(self._column(field).to_numpy(), return_inverse=True)[1]

    def covariate(self, rule: str) -> Float[np.ndarray, " patient"]:
        """A column, `not COLUMN` of zeros and ones, or `COLUMN=LEVEL` as zeros and ones."""
        field, equals, level = rule.partition("=")
        if equals:
            return (self._column(field) == level).cast(pl.Float64).to_numpy()
        if rule.startswith("not "):
            return 1 - self.number(rule.removeprefix("not "))
        return self.number(rule)

    def covariates(self) -> tuple[list[str], Float[np.ndarray, "patient feature"]]:
        """The covariates of the published model of these data, by R's names."""
        same = {name: name for name in _SAME.get(self.name, ())}
        rules = {**same, **_OTHERWISE.get(self.name, {})}
        return list(rules), np.stack([self.covariate(rule) for rule in rules.values()], axis=1)

    @property
    def modelled(self) -> bool:
        """Whether there is a published model of these data."""
        return self.name in (*_SAME, *_OTHERWISE)

    def outcome(self) -> tuple[Float[np.ndarray, " patient"], Bool[np.ndarray, " patient"]]:
        """Time, and whether the event was observed."""
        time, event, observed = _TIME_AND_EVENT[self.name]
        return self.number(time), self.number(event) == observed

    def entry(self) -> Float[np.ndarray, " patient"] | None:
        """When observation began; None where all were seen from the start."""
        return self.number("start") if self.name == "heart" else None

    def first_event(self) -> tuple[Float[np.ndarray, " patient"], Int[np.ndarray, " patient"]]:
        """Of mgus2: time to progression (1) or death without it (2)."""
        progressed = self.number("pstat") == 1
        time = np.where(progressed, self.number("ptime"), self.number("futime"))
        return time, np.where(progressed, 1, 2 * (self.number("death") == 1))

    def _column(self, field: str) -> pl.Series:
        if field not in self.table.columns:
            raise DataError(f"{self.name}.csv lacks the column {field}")
        return self.table[field]


@lru_cache(maxsize=32)
def read_data_set(folder: Path, name: str) -> DataSet | None:
    """`NAME.csv` of a folder; None where it is absent.

    Raises:
        DataError: If it cannot be read as a table.
    """
    path = folder / f"{name}.csv"
    if not path.is_file():
        return None
    try:
        table = pl.read_csv(path, infer_schema_length=None, null_values=["NA"])
    except (pl.exceptions.ComputeError, pl.exceptions.NoDataError):
        raise DataError(
            f"{path.name} cannot be read as a table", hint="write it as CSV with one header row"
        ) from None
    return DataSet(name, table)


def complete(values: Shaped[np.ndarray, "patient feature"]) -> Bool[np.ndarray, " patient"]:
    """The patients of whom every covariate is known."""
    return ~np.isnan(values).any(axis=1)
