"""`predictions.parquet`: the one contract for numbers out. Evaluation reads nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import polars as pl
from pydantic import ValidationError

from sequela.errors import DataError
from sequela.parquet import parquet_metadata, read_parquet
from sequela.settings import Settings
from sequela.storage import atomic

SCHEMA = {
    "model": pl.String,  # family, as in lumin
    "variant": pl.String,  # named variant, as in lumin-m
    "endpoint": pl.String,
    "repeat": pl.Int64,
    "fold": pl.Int64,
    "seed": pl.Int64,
    "split": pl.String,  # validation, test or external
    "patient_id": pl.String,
    "landmark": pl.Float64,  # day from the index date
    "entry": pl.Float64,  # days from the landmark, null where observed from the landmark on
    "time": pl.Float64,  # days from the landmark, null where no outcome is known
    "event": pl.Int64,  # 0 censored, k >= 1 cause k, null where no outcome is known
    "risk": pl.Float64,  # higher is worse
}
"""Columns of the table; beside them stand `survival_<days>` columns, one a grid time.

They hold the chance of not having had the event of the cause by then: one minus its cumulative
incidence, patients with a competing event counting as free of it. `incidence_<cause>_<days>`
columns may stand beside them, at the same days: the chance of having had, of all events first, that
of another cause.
"""

_METADATA_KEY = "sequela"


class Sampling(Settings):
    """Whether the outcome decided which visits are seen, as an audit of the cohort found.

    Attributes:
        outcome_dependent: None where it was not judged.
        auc: How well the times of visits alone tell the outcome, by cross-validation.
        low: Its lower limit, which judges.
        high: Its upper limit.
        reason: Why it was not judged, or why there is nothing to judge.
    """

    outcome_dependent: bool | None = None
    auc: float | None = None
    low: float | None = None
    high: float | None = None
    reason: str = ""


class Provenance(Settings):
    """Where predictions come from, stored in the file's metadata.

    Attributes:
        protocol: The name of the selection protocol.
        cause: Which cause is predicted; the others compete.
        horizon: Days after the landmark to which `risk` refers, None for ever.
        epoch_chosen_on: The split on which the epoch was chosen.
        cohort: Fingerprint of the cohort.
        splits: Fingerprint of the split file.
        configuration: Fingerprint of the resolved configuration.
        synthetic: Whether the patients are simulated.
        notes: What else a reader should know, printed with the numbers.
        sampling: What an audit says of the design; None where nobody asked.
    """

    protocol: str
    cause: int = 1
    horizon: float | None = None
    epoch_chosen_on: Literal["validation", "training", "test", "none", "unknown"] = "unknown"
    cohort: str = ""
    splits: str = ""
    configuration: str = ""
    synthetic: bool = False
    notes: tuple[str, ...] = ()
    sampling: Sampling | None = None


@dataclass(frozen=True)
class Predictions:
    """Rows of `SCHEMA` (+ `survival_<days>`), and where they come from."""

    table: pl.DataFrame
    provenance: Provenance

    @property
    def grid(self) -> tuple[float, ...]:
        """Times in days at which survival probabilities are stored, ascending."""
        names = [name for name in self.table.columns if name.startswith("survival_")]
        return tuple(sorted(float(name.removeprefix("survival_")) for name in names))

    def write(self, path: Path) -> None:
        """Write the table and its provenance, whole or not at all."""
        metadata = {_METADATA_KEY: self.provenance.model_dump_json()}
        with atomic(path) as temporary:
            self.table.write_parquet(temporary, metadata=metadata)

    @classmethod
    def read(cls, path: Path) -> Predictions:
        """Read a table that `write` wrote.

        Raises:
            DataError: If it is damaged.
        """
        try:
            metadata = parquet_metadata(path)
            provenance = Provenance.model_validate_json(metadata[_METADATA_KEY])
            return cls(read_parquet(path), provenance)
        except (DataError, ValidationError, KeyError) as error:
            raise DataError(
                f"{path.name} is damaged, or was not written by Sequela ({type(error).__name__})",
                hint="make it again with `sequela predict`, or restore it",
            ) from None


def is_ours(path: Path) -> bool:
    """Whether a Parquet file carries the provenance that `Predictions.write` stores."""
    try:
        return _METADATA_KEY in parquet_metadata(path)
    except DataError:
        return False


def survival_column(days: float) -> str:
    """The name of the column of survival probabilities at `days` after the landmark."""
    return f"survival_{days:g}"


def incidence_column(cause: int, days: float) -> str:
    """The name of the column of another cause's incidence at `days` after the landmark."""
    return f"incidence_{cause}_{days:g}"
