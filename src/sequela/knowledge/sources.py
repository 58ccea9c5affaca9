"""What of a cohort knowledge is drawn from: the reports on its patients, its cancer types."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sequela.cohort.cohort import Cohort
from sequela.cohort.manifest import Manifest
from sequela.cohort.patient import Patient
from sequela.cohort.tables import read_tables
from sequela.errors import DataError

KIND = "report"
"""Texts are reports whose kind holds this word."""


@dataclass(frozen=True)
class Report:
    """The reports on one patient that may be read, as one text.

    Attributes:
        patient_id: Whose they are.
        text: Empty where there is none.
        identifiers: Ids of the patient and the texts, which no prompt may hold.
        later: How many reports were left out, for they were not available on the day.
    """

    patient_id: str
    text: str
    identifiers: tuple[str, ...]
    later: int


def reports(cohort: Cohort, until: float = 0.0) -> tuple[Report, ...]:
    """The reports on every patient.

    Args:
        cohort: Whose patients.
        until: Day from the index date; what was available only later knows the future.
    """
    return tuple(_report(patient, until) for patient in cohort.patients)


def _report(patient: Patient, until: float) -> Report:
    texts = (*patient.texts, *(text for exam in patient.exams for text in exam.texts))
    ours = [text for text in texts if KIND in text.kind.lower()]
    seen = [text for text in ours if text.available_day <= until]
    return Report(
        patient.patient_id,
        "\n\n".join(text.text for text in seen),
        (patient.patient_id, *(text.text_id for text in seen)),
        len(ours) - len(seen),
    )


def cancer_types(folder: Path) -> tuple[str, ...]:
    """The cancer types of a cohort's patients, as its patients table says.

    Raises:
        DataError: If it does not say.
    """
    tables, _ = read_tables(folder, Manifest.load(folder))
    patients = tables.get("patients")
    if patients is None or not patients.has("cancer_type"):
        raise DataError(
            f"the patients table of {folder.name} has no column cancer_type",
            hint="add one, as a constant in the manifest if all have the same; or name --cancer",
        )
    return tuple(sorted(patients.typed["cancer_type"].drop_nulls().unique()))
