"""What a cohort's own tables know of the patients, to divide them into subgroups by."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from math import inf
from operator import attrgetter

import polars as pl

from sequela.cohort.cohort import Cohort
from sequela.cohort.patient import Patient

_FEWEST_NAMED = 2
_USUAL_NUMBERS = ("age", "year")
_OF_EXAMS = ("vendor", "modality")


def usual_columns(cohort: Cohort) -> tuple[str, ...]:
    """What subgroups are reported by unless others are asked for.

    Site, vendor, modality, what can be read of patients, age, year, and every declared covariate
    that is no number, where they vary.
    """
    declared = [
        name
        for name, covariate in cohort.manifest.clinical.items()
        if covariate.kind != "numeric" or name.lower() in _USUAL_NUMBERS
    ]
    sites = {patient.site for patient in cohort.patients}
    exams = [exam for patient in cohort.patients for exam in patient.exams]
    seen = {
        "site": sites,
        **{name: {getattr(exam, name) for exam in exams} for name in _OF_EXAMS},
        "available": {_available(patient, inf) for patient in cohort.patients},
    }
    found = [name for name, values in seen.items() if _vary(values)]
    varying = [name for name in declared if cohort.covariates[name].drop_nulls().n_unique() > 1]
    return tuple(dict.fromkeys([*found, *varying]))


def _vary(named: set[str]) -> bool:
    return len(named - {""}) >= _FEWEST_NAMED


def column_of(cohort: Cohort, column: str, rows: pl.DataFrame) -> pl.DataFrame | None:
    """A column of the patients, or what each landmark sees.

    Args:
        cohort: Whose tables are asked.
        column: A declared covariate or `site`; `vendor` or `modality` of the last exam up to the
            landmark; `available`: whether images, texts or both can be read by then.
        rows: patient_id and landmark of each prediction; patients of other cohorts are passed over.

    Returns:
        patient_id (and landmark, where it is of the landmark) beside the column; None if there is
        no such.
    """
    if column in cohort.covariates.columns[1:]:
        return cohort.covariates.select("patient_id", column)
    if column == "site":
        sites = [(patient.patient_id, patient.site) for patient in cohort.patients]
        return _table(sites, ("patient_id", "site"))
    if column not in (*_OF_EXAMS, "available"):
        return None
    patients = {patient.patient_id: patient for patient in cohort.patients}
    say = _available if column == "available" else partial(_of_last_exam, column)
    found = [
        (name, landmark, say(patients[name], landmark) if name in patients else "")
        for name, landmark in rows.select("patient_id", "landmark").unique().iter_rows()
    ]
    return _table(found, ("patient_id", "landmark", column))


def _of_last_exam(column: str, patient: Patient, landmark: float) -> str:
    """What the last exam up to a landmark has in a column; nothing where there is none yet."""
    seen = [exam for exam in patient.exams if exam.day <= landmark]
    return getattr(max(seen, key=attrgetter("day")), column) if seen else ""


def _available(patient: Patient, landmark: float) -> str:
    """What can be read of a patient at a landmark."""
    exams = [exam for exam in patient.exams if exam.day <= landmark]
    texts = [*patient.texts, *(text for exam in exams for text in exam.texts)]
    images = any(exam.images for exam in exams)
    if any(text.available_day <= landmark for text in texts):
        return "image and text" if images else "text only"
    return "image only" if images else "neither image nor text"


def _table(rows: Sequence[tuple[object, ...]], names: Sequence[str]) -> pl.DataFrame:
    kinds = {name: pl.Float64 if name == "landmark" else pl.String for name in names}
    return pl.DataFrame(rows, schema=kinds, orient="row")
