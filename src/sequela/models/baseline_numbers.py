"""The numbers that a baseline reads of a case: covariates, timing, components of its texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Float

from sequela.cohort.manifest import Covariate
from sequela.cohort.patient import Case
from sequela.errors import DataError
from sequela.modalities.clinical import ClinicalScaler
from sequela.models.text_components import TextComponents, text_of

TIMING = ("landmark", "gap", "exams")
_COMPONENTS = 30


@dataclass(frozen=True)
class BaselineInputs:
    """What a baseline may look at.

    Attributes:
        cases: Whose risk is asked for.
        covariates: The declared clinical columns, a row a case in the same order
            (`modalities.clinical.rows_of`).
    """

    cases: Sequence[Case]
    covariates: pl.DataFrame

    def __len__(self) -> int:
        return len(self.cases)


@dataclass(frozen=True)
class Numbers:
    """Which numbers a baseline reads, fitted on training cases.

    Attributes:
        timing: When exams were made.
        scaler: Of the clinical covariates, None where they are not read.
        texts: Components of the texts, None where they are not read.
        features: Names of the numbers that vary among training patients.
        columns: Where those stand among all numbers.
    """

    timing: bool
    scaler: ClinicalScaler | None
    texts: TextComponents | None
    features: tuple[str, ...] = ()
    columns: tuple[int, ...] = ()

    @classmethod
    def fit(
        cls,
        inputs: BaselineInputs,
        clinical: Mapping[str, Covariate],
        *,
        timing: bool = False,
        texts: bool = False,
    ) -> Numbers:
        """The numbers of training cases that vary among them.

        Raises:
            DataError: If none does.
        """
        scaler = ClinicalScaler.fit(inputs.covariates, clinical) if clinical else None
        words = [text_of(case) for case in inputs.cases] if texts else []
        components = TextComponents.fit(words, _COMPONENTS) if texts else None
        every = cls(timing, scaler, components)
        names, values = every._all(inputs)
        columns = np.flatnonzero(np.ptp(values, axis=0) > 0)
        if not len(columns):
            raise DataError(
                f"this baseline needs a number that varies; of {len(names)}, none does",
                hint="declare clinical covariates in the manifest, or leave this baseline out",
            )
        features = tuple(names[column] for column in columns)
        return cls(timing, scaler, components, features, tuple(columns.tolist()))

    def of(self, inputs: BaselineInputs) -> Float[np.ndarray, "patient feature"]:
        """The numbers of some cases."""
        return self._all(inputs)[1][:, list(self.columns)]

    def _all(
        self, inputs: BaselineInputs
    ) -> tuple[tuple[str, ...], Float[np.ndarray, "patient feature"]]:
        names: tuple[str, ...] = ()
        blocks = [np.zeros((len(inputs), 0))]
        if self.timing:
            names, blocks = names + TIMING, [*blocks, _timing(inputs.cases)]
        if self.scaler is not None:
            values, known = self.scaler.transform(inputs.covariates)
            columns = self.scaler.columns
            first = np.cumsum([0, *(len(column.features) for column in columns)])[:-1]
            unknown = tuple(f"{column.name} unknown" for column in columns)
            names, blocks = (*names, *self.scaler.features, *unknown), [*blocks, values]
            blocks.append(~known[:, first])
        if self.texts is not None:
            names += self.texts.names
            blocks.append(self.texts.transform([text_of(case) for case in inputs.cases]))
        return names, np.concatenate(blocks, axis=1)

    def state(self) -> dict[str, Any]:
        """What `from_state` needs, as JSON holds it."""
        return {
            "timing": self.timing,
            "scaler": None if self.scaler is None else self.scaler.state(),
            "texts": None if self.texts is None else self.texts.state(),
            "features": list(self.features),
            "columns": list(self.columns),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Numbers:
        """The numbers whose `state()` this is."""
        scaler, texts = state["scaler"], state["texts"]
        return cls(
            state["timing"],
            None if scaler is None else ClinicalScaler.from_state(scaler),
            None if texts is None else TextComponents.from_state(texts),
            tuple(state["features"]),
            tuple(state["columns"]),
        )


def _timing(cases: Sequence[Case]) -> Float[np.ndarray, "patient feature"]:
    """When a patient was seen, and nothing of what was seen; days in years."""
    rows = np.zeros((len(cases), len(TIMING)))
    for row, case in zip(rows, cases, strict=True):
        days = [exam.day for exam in case.exams]
        gap = days[-1] - days[-2] if len(days) > 1 else 0.0
        row[:] = (case.landmark / 365.25, gap / 365.25, len(days))
    return rows
