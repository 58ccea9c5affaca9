"""Clinical covariates to numbers: scaled and one-hot, with what is unknown marked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Bool, Float

from sequela.cohort.manifest import Covariate
from sequela.errors import DataError


@dataclass(frozen=True)
class Column:
    """How one covariate becomes numbers.

    Attributes:
        name: Of the covariate.
        levels: In their order; empty for a number.
        one_hot: One feature for each level but the first; otherwise the level's rank.
    """

    name: str
    levels: tuple[str, ...]
    one_hot: bool

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the features."""
        if not self.one_hot:
            return (self.name,)
        return tuple(f"{self.name}={level}" for level in self.levels[1:])

    def numbers(self, cells: pl.Series) -> Float[np.ndarray, "patient feature"]:
        """The features before scaling; NaN, here only, where the cell is empty."""
        if not self.levels:
            return cells.cast(pl.Float64).fill_null(np.nan).to_numpy()[:, None].copy()
        ranks = {level: float(rank) for rank, level in enumerate(self.levels)}
        rank = np.array([ranks.get(cell, np.nan) for cell in cells.to_list()])[:, None]
        if not self.one_hot:
            return rank
        hot = (rank == np.arange(1, len(self.levels))).astype(np.float64)
        return np.where(np.isnan(rank), np.nan, hot)


@dataclass(frozen=True)
class ClinicalScaler:
    """Clinical covariates as features of mean 0 and deviation 1 among training patients.

    Attributes:
        columns: The covariates.
        centre: Mean of each feature among training patients who have it.
        scale: Their standard deviation; 1 where they are all alike.
    """

    columns: tuple[Column, ...]
    centre: tuple[float, ...]
    scale: tuple[float, ...]

    @classmethod
    def fit(cls, covariates: pl.DataFrame, clinical: Mapping[str, Covariate]) -> ClinicalScaler:
        """Means and deviations of training patients.

        Args:
            covariates: A row a training patient.
            clinical: The columns to use, and what kind each is (`manifest.clinical`).
        """
        columns = tuple(
            Column(name, item.levels, item.kind == "categorical") for name, item in clinical.items()
        )
        numbers = _numbers(covariates, columns)
        known = ~np.isnan(numbers)
        count = np.maximum(known.sum(axis=0), 1)
        centre = np.where(known, numbers, 0.0).sum(axis=0) / count
        spread = np.sqrt((np.where(known, numbers - centre, 0.0) ** 2).sum(axis=0) / count)
        scale = np.where(spread > 0, spread, 1.0)
        return cls(columns, tuple(centre.tolist()), tuple(scale.tolist()))

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the features, in their order."""
        return tuple(name for column in self.columns for name in column.features)

    def transform(
        self, covariates: pl.DataFrame
    ) -> tuple[Float[np.ndarray, "patient feature"], Bool[np.ndarray, "patient feature"]]:
        """Features, and which of them are known; unknown ones are 0, the training mean.

        Raises:
            DataError: If a column that was fitted is not there.
        """
        lacking = [column.name for column in self.columns if column.name not in covariates]
        if lacking:
            raise DataError(
                f"the patients table lacks {len(lacking)} clinical column(s) of the fitted model",
                hint="declare them in the manifest's clinical section, as in training",
                items=tuple(lacking),
            )
        numbers = _numbers(covariates, self.columns)
        known = ~np.isnan(numbers)
        scaled = (numbers - np.array(self.centre)) / np.array(self.scale)
        return np.where(known, scaled, 0.0), known

    def state(self) -> dict[str, Any]:
        """What `from_state` needs, as JSON holds it."""
        return asdict(self)

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> ClinicalScaler:
        """The scaler whose `state()` this is."""
        columns = tuple(
            Column(entry["name"], tuple(entry["levels"]), entry["one_hot"])
            for entry in state["columns"]
        )
        return cls(columns, tuple(state["centre"]), tuple(state["scale"]))


def rows_of(covariates: pl.DataFrame, patient_ids: Sequence[str]) -> pl.DataFrame:
    """The covariates of these patients, a row an id in the ids' order.

    Raises:
        DataError: If a patient has no row.
    """
    place = {name: row for row, name in enumerate(covariates["patient_id"].to_list())}
    missing = sum(name not in place for name in patient_ids)
    if missing:
        raise DataError(
            f"{missing} of {len(patient_ids)} patients have no row in the patients table",
            hint="run `sequela check`; it names tables whose patients do not agree",
        )
    return covariates[[place[name] for name in patient_ids]]


def _numbers(
    covariates: pl.DataFrame, columns: Sequence[Column]
) -> Float[np.ndarray, "patient feature"]:
    blocks = [column.numbers(covariates[column.name]) for column in columns]
    return np.concatenate([np.zeros((len(covariates), 0)), *blocks], axis=1)
