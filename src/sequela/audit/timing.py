"""Whether the design gives the outcome away: when patients were seen, and nothing of what was."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Float

from sequela.audit.labels import Labelled
from sequela.audit.predictability import CrossValidatedAuc, predictability
from sequela.cohort.cohort import Cohort
from sequela.cohort.patient import Case, Patient

LIMIT = 0.55
"""The lower bound of the AUC above which a design gives the outcome away."""

_VIEWS = (("L", "CC"), ("L", "MLO"), ("R", "CC"), ("R", "MLO"))
_LENGTH = 4
"""The length of the text. Where nothing else varies it is what the text says, not when."""


@dataclass(frozen=True)
class Timing:
    """What the design tells of the outcome, without and with the patient's age.

    Age is prognosis where the disease is; only what remains without it can be the sampling's fault.
    """

    design: CrossValidatedAuc
    with_age: CrossValidatedAuc | None

    @property
    def outcome_dependent(self) -> bool:
        """Whether the design alone tells the outcome."""
        return self.design.low > LIMIT


def judge_timing(cohort: Cohort, labelled: Labelled) -> Timing | None:
    """What trees make of time, gap, counts, text length and missing views.

    None if nothing but the length of the texts varies: patients are then seen alike.

    Raises:
        UndefinedMetricError: If there are few patients with, or without, the event.
    """
    varying = _varying(cohort, labelled)
    if varying is None:
        return None
    age = _age(cohort, labelled)
    with_age = None if age is None else np.column_stack([varying, age])
    return Timing(
        predictability(varying, labelled),
        None if with_age is None else predictability(with_age, labelled),
    )


def design_alone(cohort: Cohort, labelled: Labelled) -> CrossValidatedAuc | None:
    """The half of `judge_timing` that decides; None where that is.

    Raises:
        UndefinedMetricError: If there are few patients with, or without, the event.
    """
    varying = _varying(cohort, labelled)
    return None if varying is None else predictability(varying, labelled)


def _varying(cohort: Cohort, labelled: Labelled) -> Float[np.ndarray, "case feature"] | None:
    patients = cohort.patient
    design = np.array([_design(case, patients(case.patient_id)) for case in labelled.cases])
    columns = _vary(design)
    return design[:, columns] if set(columns) - {_LENGTH} else None


def _design(case: Case, patient: Patient) -> list[float]:
    """Time since the index date, gaps, exams so far, length of the text, views missing."""
    days = [exam.day for exam in case.exams]
    views = {(image.side, image.view) for exam in case.exams[-1:] for image in exam.images}
    texts = [text for exam in case.exams for text in exam.texts] + list(case.texts)
    return [
        case.landmark,
        days[-1] - days[-2] if len(days) > 1 else np.nan,
        case.landmark - days[-1] if days else np.nan,
        float(sum(exam.day <= case.landmark for exam in patient.exams)),
        float(sum(len(text.text) for text in texts)),
        *(float(view not in views) for view in _VIEWS),
    ]


def _vary(features: Float[np.ndarray, "case feature"]) -> list[int]:
    """Columns that hold more than one value, unknown being one."""
    return [
        column
        for column in range(features.shape[1])
        if len(np.unique(features[:, column], equal_nan=True)) > 1
    ]


def _age(cohort: Cohort, labelled: Labelled) -> Float[np.ndarray, " case"] | None:
    """The patient's age, None where the cohort declares none."""
    if "age" not in cohort.covariates.columns or cohort.covariates["age"].dtype != pl.Float64:
        return None
    ages = dict(cohort.covariates.select("patient_id", "age").iter_rows())
    values = [ages[case.patient_id] for case in labelled.cases]
    return np.array([np.nan if value is None else value for value in values])
