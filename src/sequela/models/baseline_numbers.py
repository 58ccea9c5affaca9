"""The numbers that a baseline reads of a case: covariates, timing, components of its texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Float

from sequela.cohort.manifest import Covariate
from sequela.cohort.patient import Case
from sequela.errors import DataError
from sequela.modalities.clinical import ClinicalScaler
from sequela.modalities.shared_words import only_words, shared_words
from sequela.models.gene_components import GeneComponents, Tables
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
        genes: The cohort's gene tables.
    """

    cases: Sequence[Case]
    covariates: pl.DataFrame
    genes: Tables = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.cases)

    @property
    def patients(self) -> list[str]:
        """Whose case each is."""
        return [case.patient_id for case in self.cases]


@dataclass(frozen=True)
class Numbers:
    """Which numbers a baseline reads, fitted on training cases.

    Attributes:
        timing: When exams were made.
        scaler: Of the clinical covariates, None where they are not read.
        texts: Components of the texts, None where they are not read.
        features: Names of the numbers that vary among training patients.
        columns: Where those stand among all numbers.
        genes: Components of the genes, None where they are not read.
    """

    timing: bool
    scaler: ClinicalScaler | None
    texts: TextComponents | None
    features: tuple[str, ...] = ()
    columns: tuple[int, ...] = ()
    genes: GeneComponents | None = None

    @classmethod
    def fit(
        cls,
        inputs: BaselineInputs,
        clinical: Mapping[str, Covariate],
        *,
        timing: bool = False,
        texts: bool = False,
        genes: bool = False,
    ) -> Numbers:
        """The numbers of training cases that vary among them.

        Raises:
            DataError: If none does.
        """
        scaler = ClinicalScaler.fit(inputs.covariates, clinical) if clinical else None
        components = TextComponents.fit(_in_shared_words(inputs), _COMPONENTS) if texts else None
        molecular = None
        if genes:
            molecular = GeneComponents.fit(inputs.genes, inputs.patients, _COMPONENTS)
        every = cls(timing, scaler, components, genes=molecular)
        names, values = every._all(inputs)
        columns = np.flatnonzero(np.ptp(values, axis=0) > 0)
        if not len(columns):
            raise DataError(
                f"this baseline needs a number that varies; of {len(names)}, none does",
                hint="declare clinical covariates in the manifest, or leave this baseline out",
            )
        features = tuple(names[column] for column in columns)
        return replace(every, features=features, columns=tuple(columns.tolist()))

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
        if self.genes is not None:
            names += self.genes.names
            blocks.append(self.genes.transform(inputs.genes, inputs.patients))
        return names, np.concatenate(blocks, axis=1)

    def state(self) -> dict[str, Any]:
        """What `from_state` needs, as JSON holds it."""
        return {
            "timing": self.timing,
            "scaler": None if self.scaler is None else self.scaler.state(),
            "texts": None if self.texts is None else self.texts.state(),
            "genes": None if self.genes is None else self.genes.state(),
            "features": list(self.features),
            "columns": list(self.columns),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Numbers:
        """The numbers whose `state()` this is."""
        scaler, texts, genes = state["scaler"], state["texts"], state.get("genes")
        return cls(
            state["timing"],
            None if scaler is None else ClinicalScaler.from_state(scaler),
            None if texts is None else TextComponents.from_state(texts),
            tuple(state["features"]),
            tuple(state["columns"]),
            None if genes is None else GeneComponents.from_state(genes),
        )


def _in_shared_words(inputs: BaselineInputs) -> list[str]:
    """The text of each case, without words that few patients have."""
    texts = [(case.patient_id, text_of(case)) for case in inputs.cases]
    words = shared_words(texts)
    return [only_words(text, words) for _, text in texts]


def _timing(cases: Sequence[Case]) -> Float[np.ndarray, "patient feature"]:
    """When a patient was seen, and nothing of what was seen; days in years."""
    rows = np.zeros((len(cases), len(TIMING)))
    for row, case in zip(rows, cases, strict=True):
        days = [exam.day for exam in case.exams]
        gap = days[-1] - days[-2] if len(days) > 1 else 0.0
        row[:] = (case.landmark / 365.25, gap / 365.25, len(days))
    return rows
