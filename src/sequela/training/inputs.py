"""From a project's cases to the samples that a variant reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Bool, Float

from sequela.cohort.patient import Case
from sequela.encoders.text import require_fit
from sequela.errors import DataError, UsageError
from sequela.modalities.cases import CaseInputs, ExamInputs, TokenisedTexts
from sequela.modalities.clinical import ClinicalScaler, rows_of
from sequela.modalities.store import ImageStore
from sequela.modalities.text import TextSettings
from sequela.models.build import LuminConfig, ModelConfig
from sequela.training.fitting import EncoderFitSettings
from sequela.training.project import Fold, Project

_READERS = {
    ("image",): "st-i and resnet50 read images only",
    ("text",): "st-r reads texts only",
    (): "cox-clinical and kaplan-meier read neither",
}


@dataclass(frozen=True)
class ClinicalSource:
    """The clinical covariates of patients, and how training patients scale them."""

    covariates: pl.DataFrame
    scaler: ClinicalScaler

    @classmethod
    def fit(cls, project: Project, fold: Fold) -> ClinicalSource:
        """With the scaler of the fold's training patients.

        Raises:
            UsageError: If the manifest declares no clinical covariate.
        """
        declared = project.cohort.manifest.clinical
        if not declared:
            raise UsageError(
                "model.clinical reads clinical covariates, and the manifest declares none",
                hint="declare them in the manifest's clinical section, or set model.clinical=false",
            )
        cases = [project.selection.cases[row] for row in project.rows("train", fold)]
        covariates = project.cohort.covariates
        rows = rows_of(covariates, [case.patient_id for case in cases])
        return cls(covariates, ClinicalScaler.fit(rows, declared))

    def of(
        self, cases: Sequence[Case]
    ) -> tuple[Float[np.ndarray, "case feature"], Bool[np.ndarray, "case feature"]]:
        """Scaled features of some cases, and which are known."""
        return self.scaler.transform(rows_of(self.covariates, [case.patient_id for case in cases]))


@dataclass(frozen=True)
class Sources:
    """Where a cohort's images, words and covariates are; None where it has none."""

    store: ImageStore | None
    tokenizer: Any
    text: TextSettings
    clinical: ClinicalSource | None = None


def require_modalities(config: ModelConfig, sources: Sources, what: str) -> None:
    """Refuse a model for which the cohort has nothing; one of two it can do without.

    Raises:
        DataError: If the cohort has none of what it reads.
    """
    there = {"image": sources.store is not None, "text": sources.tokenizer is not None}
    lacking = [kind for kind in config.modalities if not there[kind]]
    if len(lacking) == len(config.modalities):
        left = tuple(kind for kind in ("image", "text") if there[kind])
        raise DataError(
            f"{what} reads {' and '.join(config.modalities)}, "
            f"but the cohort's cases have no {' and no '.join(lacking)}",
            hint=f"add them to the cohort, or choose another variant: {_READERS[left]}",
        )
    if config.text is not None and sources.tokenizer is not None:
        require_fit(config.text, sources.tokenizer, sources.text.tokens)


def with_covariates(config: ModelConfig, clinical: ClinicalSource | None) -> ModelConfig:
    """The same model told how many clinical features there are."""
    if clinical is None or not isinstance(config, LuminConfig):
        return config
    return config.evolve(covariates=len(clinical.scaler.features))


def case_inputs(cases: Sequence[Case], config: ModelConfig, sources: Sources) -> CaseInputs:
    """The samples of some cases: the exams that the model sees, and of them what it reads."""
    seen = tuple(replace(case, exams=case.exams[-config.exams :]) for case in cases)
    texts = None
    if config.text is not None and sources.tokenizer is not None:
        texts = TokenisedTexts.of(seen, sources.tokenizer, sources.text)
    clinical = sources.clinical.of(cases) if config.clinical and sources.clinical else None
    images = sources.store if config.image else None
    return CaseInputs(seen, images=images, texts=texts, clinical=clinical)


def pair_inputs(project: Project, patients: set[str], sources: Sources) -> ExamInputs:
    """Every exam with images and a text of these patients, alone, before their outcome.

    The paper: all exams prior to recurrence or the end of follow-up. A text that became
    available later than that is not used either.

    Raises:
        DataError: If the cohort has no images.
    """
    if sources.store is None:
        raise DataError("alignment needs images", hint="only cohorts with images are aligned")
    outcomes = project.cohort.outcomes.filter(endpoint=project.configuration.protocol.endpoint)
    end = dict(outcomes.select("patient_id", "time").iter_rows())
    cases = []
    for patient_id in sorted(patients & end.keys()):
        for exam in project.cohort.patient(patient_id).exams:
            known = tuple(text for text in exam.texts if text.available_day < end[patient_id])
            if exam.day < end[patient_id]:
                cases.append(Case(patient_id, exam.day, (replace(exam, texts=known),)))
    texts = TokenisedTexts.of(cases, sources.tokenizer, sources.text)
    return ExamInputs(tuple(cases), sources.store, texts)


def in_training(
    inputs: CaseInputs | ExamInputs, settings: EncoderFitSettings
) -> CaseInputs | ExamInputs:
    """The same inputs, augmented as training asks."""
    return replace(inputs, augmentation=settings.augmentation, seed=settings.seed)
