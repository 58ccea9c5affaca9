"""What a cohort's own tables know of the patients, to divide them into subgroups by."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter

import polars as pl

from sequela.cohort.cohort import Cohort

_FEWEST_NAMED = 2
_USUAL_NUMBERS = ("age", "year")


def usual_columns(cohort: Cohort) -> tuple[str, ...]:
    """What subgroups are reported by unless others are asked for.

    Site, vendor, age, year, and every declared covariate that is no number, where they vary.
    """
    declared = [
        name
        for name, covariate in cohort.manifest.clinical.items()
        if covariate.kind != "numeric" or name.lower() in _USUAL_NUMBERS
    ]
    sites = {patient.site for patient in cohort.patients}
    vendors = {exam.vendor for patient in cohort.patients for exam in patient.exams}
    found = [name for name, seen in (("site", sites), ("vendor", vendors)) if _vary(seen)]
    varying = [name for name in declared if cohort.covariates[name].drop_nulls().n_unique() > 1]
    return tuple(dict.fromkeys([*found, *varying]))


def _vary(named: set[str]) -> bool:
    return len(named - {""}) >= _FEWEST_NAMED


def column_of(cohort: Cohort, column: str, rows: pl.DataFrame) -> pl.DataFrame | None:
    """A column of the patients, or the vendor of the exam that each landmark sees last.

    Args:
        cohort: Whose tables are asked.
        column: A declared covariate, `site` or `vendor`.
        rows: patient_id and landmark of each prediction; patients of other cohorts are passed over.

    Returns:
        patient_id (and landmark, for the vendor) beside the column; None if there is no such.
    """
    if column in cohort.covariates.columns[1:]:
        return cohort.covariates.select("patient_id", column)
    if column == "site":
        sites = [(patient.patient_id, patient.site) for patient in cohort.patients]
        return _table(sites, ("patient_id", "site"))
    if column == "vendor":
        return _vendors(cohort, rows)
    return None


def _vendors(cohort: Cohort, rows: pl.DataFrame) -> pl.DataFrame:
    """The vendor of the last exam up to each landmark; of none where there is no exam yet."""
    exams = {patient.patient_id: patient.exams for patient in cohort.patients}
    found = []
    for patient, landmark in rows.select("patient_id", "landmark").unique().iter_rows():
        seen = [exam for exam in exams.get(patient, ()) if exam.day <= landmark]
        last = max(seen, key=attrgetter("day"), default=None)
        found.append((patient, landmark, last.vendor if last else ""))
    return _table(found, ("patient_id", "landmark", "vendor"))


def _table(rows: Sequence[tuple[object, ...]], names: Sequence[str]) -> pl.DataFrame:
    kinds = {name: pl.Float64 if name == "landmark" else pl.String for name in names}
    return pl.DataFrame(rows, schema=kinds, orient="row")
