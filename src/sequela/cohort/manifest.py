"""`cohort.yaml`: what the tables are called, what their columns mean, what the data allow."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import ConfigDict, Field, model_validator

from sequela.cohort.gene_units import Unit
from sequela.errors import DataError
from sequela.settings import Settings, read_settings

FILE_NAME = "cohort.yaml"
DAYS = {"days": 1.0, "weeks": 7.0, "months": 365.25 / 12, "years": 365.25}


class Endpoint(Settings):
    """An outcome: its causes by number (0 is censored), and the one that is predicted."""

    causes: dict[int, str] = Field(default_factory=lambda: {1: "event"})
    cause: int = 1

    @model_validator(mode="after")
    def _cause_is_named(self) -> Endpoint:
        if min(self.causes, default=0) < 1:
            raise ValueError("causes are numbered from 1; 0 is censored")
        if self.cause not in self.causes:
            raise ValueError(f"cause {self.cause} is not one of the causes")
        return self


class Covariate(Settings):
    """A clinical column of the patients table.

    Attributes:
        kind: What its values are; ordinal and categorical ones need levels.
        levels: Every value it can have, low to high where they have an order; of a binary one,
            the absent level first (without levels it is 0 or 1).
        unit: Printed beside its name.
        label: What a reader calls it.
    """

    model_config = ConfigDict(coerce_numbers_to_str=True)

    kind: Literal["numeric", "binary", "ordinal", "categorical"]
    levels: tuple[str, ...] = ()
    unit: str = ""
    label: str = ""


class TableSource(Settings):
    """Where a table is, and how its columns and values are called there.

    Attributes:
        file: Path inside the cohort folder, CSV, TSV or Parquet.
        columns: Our column name to theirs.
        values: Our column name to {their value: our value}.
        constants: Columns of ours that the file lacks, with the value of every row.
        unit: Of an expression table: counts, tpm, log or z; told from the numbers if left out.
    """

    model_config = ConfigDict(coerce_numbers_to_str=True)

    file: str
    columns: dict[str, str] = Field(default_factory=dict)
    values: dict[str, dict[str, str | int | float | None]] = Field(default_factory=dict)
    constants: dict[str, str | int | float] = Field(default_factory=dict)
    unit: Unit | None = None


class Manifest(Settings):
    """The cohort's own account of itself.

    Attributes:
        links: Whether an image may be a symbolic link to a file outside the cohort folder.
    """

    name: str
    description: str = ""
    synthetic: bool = False
    licence: str = "unstated"
    time_unit: Literal["days", "weeks", "months", "years"] = "days"
    links: Literal["inside", "anywhere"] = "inside"
    endpoints: dict[str, Endpoint] = Field(default_factory=dict)
    clinical: dict[str, Covariate] = Field(default_factory=dict)
    tables: dict[str, TableSource]

    @model_validator(mode="after")
    def _ids_are_no_covariates(self) -> Manifest:
        if "patient_id" in self.clinical:
            raise ValueError("patient_id cannot be a clinical covariate")
        return self

    @classmethod
    def load(cls, folder: Path) -> Manifest:
        """Read `cohort.yaml` in `folder`.

        Raises:
            DataError: If there is none.
            UsageError: If a key is unknown or a value does not fit.
        """
        path = folder / FILE_NAME
        if not path.is_file():
            raise DataError(
                f"{folder.name} is not a cohort folder: it has no {FILE_NAME}",
                hint="write one with `sequela init`, or bring data in with `sequela import`",
            )
        return read_settings(cls, path)
