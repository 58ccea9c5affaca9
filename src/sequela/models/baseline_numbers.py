"""The numbers that a baseline reads: covariates, timing, components of texts, report fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np
import polars as pl
from jaxtyping import Bool, Float

from sequela.cohort.manifest import Covariate
from sequela.cohort.patient import Case
from sequela.errors import DataError
from sequela.knowledge.schema import StructuredReport
from sequela.modalities.clinical import ClinicalScaler
from sequela.modalities.report_numbers import ReportScaler
from sequela.modalities.shared_words import only_words, shared_words
from sequela.models.gene_components import OF_NET, GeneComponents, Tables
from sequela.models.text_components import TextComponents, text_of

TIMING = ("landmark", "gap", "exams")
_COMPONENTS = 30
Part: TypeAlias = tuple[tuple[str, ...], Float[np.ndarray, "patient _"]]


@dataclass(frozen=True)
class BaselineInputs:
    """What a baseline may look at.

    Attributes:
        cases: Whose risk is asked for.
        covariates: The declared clinical columns, a row a case in the same order
            (`modalities.clinical.rows_of`).
        genes: The cohort's gene tables.
        reports: Structured pathology reports by patient.
    """

    cases: Sequence[Case]
    covariates: pl.DataFrame
    genes: Tables = field(default_factory=dict)
    reports: Mapping[str, StructuredReport] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.cases)

    @property
    def patients(self) -> list[str]:
        """Whose case each is."""
        return [case.patient_id for case in self.cases]

    @property
    def structured(self) -> list[StructuredReport | None]:
        """The structured report of each, None where there is none."""
        return [self.reports.get(case.patient_id) for case in self.cases]


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
        reports: Fields of the structured reports, None where they are not read.
        blocks: Which kind each of `columns` is of, for a penalty each.
    """

    timing: bool
    scaler: ClinicalScaler | None
    texts: TextComponents | None
    features: tuple[str, ...] = ()
    columns: tuple[int, ...] = ()
    genes: GeneComponents | None = None
    reports: ReportScaler | None = None
    blocks: tuple[int, ...] = ()

    @classmethod
    def fit(
        cls,
        inputs: BaselineInputs,
        clinical: Mapping[str, Covariate],
        *,
        timing: bool = False,
        texts: bool = False,
        genes: int = 0,
        reports: bool = False,
    ) -> Numbers:
        """The numbers of training cases that vary among them; of genes, so many components.

        Raises:
            DataError: If none does.
        """
        scaler = ClinicalScaler.fit(inputs.covariates, clinical) if clinical else None
        components = TextComponents.fit(_in_shared_words(inputs), _COMPONENTS) if texts else None
        molecular = None
        if genes:
            molecular = GeneComponents.fit(inputs.genes, inputs.patients, genes)
        fields = ReportScaler.fit(inputs.structured) if reports else None
        every = cls(timing, scaler, components, genes=molecular, reports=fields)
        parts = every._parts(inputs)
        names = [name for part, _ in parts for name in part]
        block = np.repeat(np.arange(len(parts)), [len(part) for part, _ in parts])
        columns = np.flatnonzero(np.ptp(_joined(parts, len(inputs)), axis=0) > 0)
        if not len(columns):
            raise DataError(
                f"this baseline needs a number that varies; of {len(names)}, none does",
                hint="declare clinical covariates in the manifest, or leave this baseline out",
            )
        return replace(
            every,
            features=tuple(names[column] for column in columns),
            columns=tuple(columns.tolist()),
            blocks=tuple(block[columns].tolist()),
        )

    @property
    def lengths(self) -> Float[np.ndarray, " feature"]:
        """Of each component of genes, that of its direction; 1 of other numbers."""
        lengths = dict(zip(self.genes.names, self.genes.lengths, strict=True)) if self.genes else {}
        return np.array([lengths.get(name, 1.0) for name in self.features])

    @property
    def few(self) -> Bool[np.ndarray, " feature"]:
        """All numbers, of components of genes the first."""
        weak = self.genes.names[OF_NET:] if self.genes else ()
        return np.array([name not in weak for name in self.features])

    def of(self, inputs: BaselineInputs) -> Float[np.ndarray, "patient feature"]:
        """The numbers of some cases."""
        return _joined(self._parts(inputs), len(inputs))[:, list(self.columns)]

    def _parts(self, inputs: BaselineInputs) -> list[Part]:
        """Names and values of what is read, one kind after the other."""
        parts: list[Part] = []
        if self.timing:
            parts.append((TIMING, _timing(inputs.cases)))
        if self.scaler is not None:
            parts.append(_covariates(self.scaler, inputs.covariates))
        if self.texts is not None:
            texts = [text_of(case) for case in inputs.cases]
            parts.append((self.texts.names, self.texts.transform(texts)))
        if self.genes is not None:
            values = self.genes.transform(inputs.genes, inputs.patients)
            parts.append((self.genes.names, values))
        if self.reports is not None:
            parts.append((self.reports.features, self.reports.transform(inputs.structured)))
        return parts

    def state(self) -> dict[str, Any]:
        """What `from_state` needs, as JSON holds it."""
        return {
            "timing": self.timing,
            "scaler": None if self.scaler is None else self.scaler.state(),
            "texts": None if self.texts is None else self.texts.state(),
            "genes": None if self.genes is None else self.genes.state(),
            "features": list(self.features),
            "columns": list(self.columns),
            "blocks": list(self.blocks),
            "reports": None if self.reports is None else self.reports.state(),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Numbers:
        """The numbers whose `state()` this is."""
        scaler, texts, genes = state["scaler"], state["texts"], state.get("genes")
        reports = state.get("reports")
        return cls(
            state["timing"],
            None if scaler is None else ClinicalScaler.from_state(scaler),
            None if texts is None else TextComponents.from_state(texts),
            tuple(state["features"]),
            tuple(state["columns"]),
            None if genes is None else GeneComponents.from_state(genes),
            None if reports is None else ReportScaler.from_state(reports),
            tuple(state.get("blocks", ())),
        )


def _joined(parts: Sequence[Part], cases: int) -> Float[np.ndarray, "patient _"]:
    return np.concatenate([np.zeros((cases, 0)), *(values for _, values in parts)], axis=1)


def _covariates(scaler: ClinicalScaler, covariates: pl.DataFrame) -> Part:
    """Clinical covariates, and which of them are unknown."""
    values, known = scaler.transform(covariates)
    first = np.cumsum([0, *(len(column.features) for column in scaler.columns)])[:-1]
    unknown = tuple(f"{column.name} unknown" for column in scaler.columns)
    return (*scaler.features, *unknown), np.concatenate([values, ~known[:, first]], axis=1)


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
