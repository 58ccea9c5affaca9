"""From a project's cases to the samples that a variant reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sequela.cohort.patient import Case
from sequela.errors import DataError
from sequela.modalities.cases import CaseInputs, ExamInputs, TokenisedTexts
from sequela.modalities.store import ImageStore
from sequela.modalities.text import TextSettings
from sequela.models.lumin import LuminConfig
from sequela.training.fitting import EncoderFitSettings
from sequela.training.project import Project

_READERS = {
    ("image",): "st-i and resnet50 read images only",
    ("text",): "st-r reads texts only",
    (): "cox-clinical and kaplan-meier read neither",
}


@dataclass(frozen=True)
class Sources:
    """Where a cohort's images and words are; None where it has none."""

    store: ImageStore | None
    tokenizer: Any
    text: TextSettings


def require_modalities(config: LuminConfig, sources: Sources, what: str) -> None:
    """Refuse a model that reads what the cohort lacks.

    Raises:
        DataError: If it does.
    """
    there = {"image": sources.store is not None, "text": sources.tokenizer is not None}
    lacking = [kind for kind in config.modalities if not there[kind]]
    if lacking:
        left = tuple(kind for kind in ("image", "text") if there[kind])
        raise DataError(
            f"{what} reads {' and '.join(config.modalities)}, "
            f"but the cohort's cases have no {' and no '.join(lacking)}",
            hint=f"add them to the cohort, or choose another variant: {_READERS[left]}",
        )


def case_inputs(cases: Sequence[Case], config: LuminConfig, sources: Sources) -> CaseInputs:
    """The samples of some cases: the exams that the model sees, and of them what it reads."""
    seen = tuple(replace(case, exams=case.exams[-config.exams :]) for case in cases)
    texts = None
    if config.text is not None:
        texts = TokenisedTexts.of(seen, sources.tokenizer, sources.text)
    return CaseInputs(seen, images=sources.store if config.image else None, texts=texts)


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
