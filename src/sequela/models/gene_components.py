"""Gene tables to a few numbers without a neural network: principal components, for baselines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from sequela.cohort.gene_tables import GeneTable, GeneTableName
from sequela.modalities.expression import GeneScaler

OF_NET, OF_RIDGE = 30, 150
"""How many components an elastic net chooses among, and how many stand for all genes of some
hundred patients under a ridge."""
Tables = Mapping[GeneTableName, GeneTable]


@dataclass(frozen=True)
class GeneComponents:
    """Directions in which the genes of training patients differ most.

    Expression is read where there is any, else mutation and copy number.

    Attributes:
        scalers: Of each table that is read.
        directions: A row a gene: its share in each component, whose deviation is 1 in training.
    """

    scalers: tuple[GeneScaler, ...]
    directions: tuple[tuple[float, ...], ...]

    @classmethod
    def fit(cls, tables: Tables, patients: Sequence[str], count: int) -> GeneComponents | None:
        """The components of training patients; None where the cohort has no gene table."""
        names = ("expression",) if "expression" in tables else tuple(tables)
        if not names:
            return None
        scalers = tuple(GeneScaler.fit(tables[name], patients) for name in names)
        numbers = _numbers(scalers, tables, patients)
        return cls(scalers, tuple(map(tuple, principal_directions(numbers, count).tolist())))

    @property
    def names(self) -> tuple[str, ...]:
        """Of the components."""
        what = " and ".join(scaler.table for scaler in self.scalers)
        return tuple(f"{what} {place + 1}" for place in range(len(self.directions[0])))

    @property
    def lengths(self) -> Float[np.ndarray, " component"]:
        """How long each direction is: the longer, the less the genes vary along it."""
        lengths: Float[np.ndarray, " component"] = np.linalg.norm(self.directions, axis=0)
        return lengths

    def transform(
        self, tables: Tables, patients: Sequence[str]
    ) -> Float[np.ndarray, "patient component"]:
        """The components of these patients; 0, the training mean, for one without genes."""
        found: Float[np.ndarray, "patient component"] = _numbers(
            self.scalers, tables, patients
        ) @ np.array(self.directions)
        return found

    def state(self) -> dict[str, Any]:
        """What `from_state` needs, as JSON holds it."""
        scalers = [scaler.state() for scaler in self.scalers]
        return {"scalers": scalers, "directions": [list(row) for row in self.directions]}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> GeneComponents:
        """The components whose `state()` this is."""
        scalers = tuple(GeneScaler.from_state(one) for one in state["scalers"])
        return cls(scalers, tuple(map(tuple, state["directions"])))


def principal_directions(
    numbers: Float[np.ndarray, "patient gene"], count: int
) -> Float[np.ndarray, "gene component"]:
    """Directions of most variance, scaled so that components have deviation 1; then zeros.

    There are no more components than patients less one.
    """
    centred = numbers - numbers.mean(axis=0)
    _, spread, rows = np.linalg.svd(centred, full_matrices=False)
    kept = int(min(count, (spread > 1e-6 * max(spread[0], 1e-30)).sum()))
    directions = np.zeros((numbers.shape[1], count))
    directions[:, :kept] = rows[:kept].T / (spread[:kept] / np.sqrt(len(numbers)))
    return directions


def _numbers(
    scalers: Sequence[GeneScaler], tables: Tables, patients: Sequence[str]
) -> Float[np.ndarray, "patient gene"]:
    blocks = [
        scaler.transform(tables[scaler.table], patients)[0].astype(np.float64)
        if scaler.table in tables
        else np.zeros((len(patients), len(scaler.genes)))
        for scaler in scalers
    ]
    return np.concatenate(blocks, axis=1)
