"""Gene tables to numbers of one scale: logged, clipped and scaled by training patients."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Bool, Float

from sequela.cohort.gene_tables import GeneTable, GeneTableName
from sequela.cohort.gene_units import Unit
from sequela.errors import DataError
from sequela.settings import Settings

Scaled: TypeAlias = tuple[Float[np.ndarray, "case gene"], Bool[np.ndarray, "case gene"]]

_LINEAR: tuple[Unit, ...] = ("counts", "tpm")
_LIBRARY = 1e6


class GeneSettings(Settings):
    """How gene tables become numbers.

    Attributes:
        clip: Deviations from the centre beyond which a value is cut; public z-scores reach 36,893.
        known: Least share of training patients in whom a gene was measured.
    """

    clip: float = 3.0
    known: float = 0.5


@dataclass(frozen=True)
class GeneScaler:
    """The genes of a table that a model reads, with centre and spread among training patients.

    Counts become counts per million, then they and TPM their logarithm. A value is cut at so many
    deviations from the median, the deviation being that of a normal curve with the same
    quartiles; then mean 0 and deviation 1. Mutation and copy number are left as they are.

    Attributes:
        table: Which table.
        unit: Of the numbers that come in; other cohorts must have the same.
        genes: Those measured in enough training patients and not alike in all of them.
        low: The least value of each gene.
        high: The largest.
        centre: Mean of each after cutting.
        scale: Standard deviation after cutting.
    """

    table: GeneTableName
    unit: Unit | None
    genes: tuple[str, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    centre: tuple[float, ...]
    scale: tuple[float, ...]

    @classmethod
    def fit(
        cls,
        table: GeneTable,
        patients: Sequence[str],
        settings: GeneSettings | None = None,
        only: Iterable[str] | None = None,
    ) -> GeneScaler:
        """Fitted on some patients.

        Args:
            table: Of the cohort.
            patients: The training patients.
            settings: How.
            only: Genes that are of use, those of the gene sets; all by default.

        Raises:
            DataError: If no gene is left.
        """
        settings = settings or GeneSettings()
        values = _measured(table, patients)
        scaled = table.name == "expression"
        low, high = _limits(values, settings.clip) if scaled else _open(values.shape[1])
        cut = np.clip(values, low, high)
        known = ~np.isnan(cut)
        count = np.maximum(known.sum(axis=0), 1)
        centre = np.where(known, cut, 0.0).sum(axis=0) / count
        spread = np.sqrt((np.where(known, cut - centre, 0.0) ** 2).sum(axis=0) / count)
        wanted = set(table.genes if only is None else only)
        of_use = np.array([gene in wanted for gene in table.genes])
        kept = np.flatnonzero(of_use & (spread > 1e-9) & (known.mean(axis=0) >= settings.known))
        if not len(kept):
            raise DataError(
                f"no gene of {table.name} varies among training patients and is of use: "
                f"{int(of_use.sum())} of {len(table.genes)} are in a gene set",
                hint="look at the units and gene names with `sequela check`",
            )
        if not scaled:
            centre, spread = np.zeros_like(centre), np.ones_like(spread)
        fitted = (part[kept].tolist() for part in (low, high, centre, spread))
        genes = tuple(table.genes[column] for column in kept)
        return cls(table.name, table.unit, genes, *(tuple(part) for part in fitted))

    def transform(self, table: GeneTable, patients: Sequence[str]) -> Scaled:
        """Numbers of these patients and which are known; unknown ones are 0, the training mean.

        A gene that another cohort lacks is unknown in all its patients.

        Raises:
            DataError: If the table's unit is another one, or it has none of the genes.
        """
        if table.unit != self.unit:
            raise DataError(
                f"expression is in {table.unit} here, and was in {self.unit} in training",
                hint="export it in the same unit, or correct tables.expression.unit",
            )
        place = {gene: column for column, gene in enumerate(table.genes)}
        columns = np.array([place.get(gene, -1) for gene in self.genes])
        if (columns < 0).all():
            raise DataError(
                f"none of the {len(self.genes)} genes of the fitted model is in {table.name}",
                hint="use the same vocabulary of genes as in training (symbols or Ensembl)",
            )
        values = np.where(columns >= 0, _measured(table, patients)[:, columns], np.nan)
        known = ~np.isnan(values)
        cut = np.clip(values, self.low, self.high)
        scaled = (cut - np.array(self.centre)) / np.array(self.scale)
        return np.where(known, scaled, 0.0).astype(np.float32), known

    def state(self) -> dict[str, Any]:
        """What `from_state` needs, as JSON holds it; a limit that is none is null."""
        state = asdict(self)
        for side in ("low", "high"):
            state[side] = [limit if np.isfinite(limit) else None for limit in state[side]]
        return state

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> GeneScaler:
        """The scaler whose `state()` this is."""
        limits = {
            side: tuple(empty if limit is None else limit for limit in state[side])
            for side, empty in (("low", -np.inf), ("high", np.inf))
        }
        scale = {name: tuple(state[name]) for name in ("centre", "scale")}
        return cls(state["table"], state["unit"], tuple(state["genes"]), **limits, **scale)


def _measured(table: GeneTable, patients: Sequence[str]) -> Float[np.ndarray, "case gene"]:
    """What was measured on a scale of sums, NaN, here only, where nothing was."""
    values, known = table.of(patients)
    values = values.astype(np.float64)
    if table.unit == "counts":
        total = np.where(known, values, 0.0).sum(axis=1, keepdims=True)
        values = values * (_LIBRARY / np.maximum(total, 1.0))
    if table.unit in _LINEAR:
        values = np.log1p(values)
    return np.where(known, values, np.nan)


def _limits(
    values: Float[np.ndarray, "case gene"], clip: float
) -> tuple[Float[np.ndarray, " gene"], Float[np.ndarray, " gene"]]:
    """Where each gene is cut: about its median, in deviations told from its quartiles."""
    blank = np.isnan(values).all(axis=0)
    filled = np.where(blank, 0.0, values)
    first, median, third = np.nanquantile(filled, (0.25, 0.5, 0.75), axis=0)
    deviation = (third - first) / 1.349
    # Of a gene that most patients do not express the quartiles are equal: it is not cut.
    reach = np.where(deviation > 0, clip * deviation, np.inf)
    return median - reach, median + reach


def _open(genes: int) -> tuple[Float[np.ndarray, " gene"], Float[np.ndarray, " gene"]]:
    return np.full(genes, -np.inf), np.full(genes, np.inf)
