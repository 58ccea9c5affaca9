"""The tables of a simulated cohort and of its truth."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import polars as pl

from sequela.cohort.manifest import Covariate, Endpoint, Manifest, TableSource
from sequela.simulation.dicom import vendor_of
from sequela.simulation.hazard import recurrence_risk
from sequela.simulation.mammograms import DrawnImage
from sequela.simulation.notes import write_note
from sequela.simulation.patients import SimulatedPatient, Stream
from sequela.simulation.settings import SimulationSettings

ENDPOINT = "recurrence"

_COVARIATES = {
    "age": Covariate(kind="numeric", unit="years", label="Age at the index date"),
    "grade": Covariate(kind="ordinal", levels=("1", "2", "3"), label="Histological grade"),
    "nodes": Covariate(kind="numeric", label="Positive lymph nodes"),
    "receptor": Covariate(
        kind="categorical", levels=("negative", "positive"), label="Oestrogen receptor"
    ),
}
_DESCRIPTION = (
    "Simulated patients, not real ones. What drives their hazard is known and stored in truth/."
)

Patients = Sequence[SimulatedPatient]


def manifest(settings: SimulationSettings) -> Manifest:
    """The cohort's account of itself."""
    names = ["patients", "outcomes", "exams", "texts"] + ["images"] * settings.images
    return Manifest(
        name=settings.name,
        description=_DESCRIPTION,
        synthetic=True,
        licence="CC0-1.0",
        endpoints={ENDPOINT: Endpoint(causes={1: "recurrence", 2: "death"}, cause=1)},
        clinical=_COVARIATES,
        tables={name: TableSource(file=f"{name}.csv") for name in names},
    )


def patients_table(settings: SimulationSettings, patients: Patients) -> pl.DataFrame:
    """A row a patient; some clinical values are blank."""
    rows = []
    for patient in patients:
        generator = patient.generator(Stream.COVARIATES, 1)
        known = generator.random(len(_COVARIATES)) >= settings.visits.missing_covariate
        truth = {
            "age": patient.covariates.age,
            "grade": patient.covariates.grade,
            "nodes": patient.covariates.nodes,
            "receptor": "positive" if patient.covariates.receptor else "negative",
        }
        told = {
            name: value if seen else None
            for (name, value), seen in zip(truth.items(), known, strict=True)
        }
        site = f"hospital-{chr(ord('a') + patient.site)}"
        rows.append(
            {"patient_id": patient.patient_id, "site": site, "cancer_type": "breast", **told}
        )
    return _frame(rows, ("patient_id", "site", "cancer_type", *_COVARIATES))


def outcomes_table(patients: Patients) -> pl.DataFrame:
    """A row a patient: 0 censored, 1 recurrence, 2 death without it."""
    return pl.DataFrame(
        {
            "patient_id": [patient.patient_id for patient in patients],
            "endpoint": [ENDPOINT] * len(patients),
            "time": [patient.time for patient in patients],
            "event": [patient.event for patient in patients],
        }
    )


def exams_table(patients: Patients) -> pl.DataFrame:
    """A row an exam."""
    rows = (
        {
            "exam_id": patient.exam_id(exam),
            "patient_id": patient.patient_id,
            "day": day,
            "modality": "MG",
            "vendor": vendor_of(patient).name,
        }
        for patient in patients
        for exam, day in enumerate(patient.days)
    )
    return _frame(rows, ("exam_id", "patient_id", "day", "modality", "vendor"))


def texts_table(settings: SimulationSettings, patients: Patients) -> pl.DataFrame:
    """A row a note, available on the day of its exam."""
    columns = ("text_id", "patient_id", "exam_id", "day", "available_day", "kind", "language")
    rows = (
        {
            "text_id": f"{patient.exam_id(exam)}-N",
            "patient_id": patient.patient_id,
            "exam_id": patient.exam_id(exam),
            "day": day,
            "available_day": day,
            "kind": "note",
            "language": patient.language,
            "text": text,
        }
        for patient in patients
        for exam, day in enumerate(patient.days)
        if (text := write_note(settings, patient, exam)) is not None
    )
    return _frame(rows, (*columns, "text"))


def images_table(images: Iterable[DrawnImage]) -> pl.DataFrame:
    """A row an image."""
    columns = ("image_id", "exam_id", "side", "view", "path")
    return _frame(({name: getattr(image, name) for name in columns} for image in images), columns)


def lesions_table(images: Iterable[DrawnImage]) -> pl.DataFrame:
    """A row an image: whether the mass is in it, and where, in pixels of the stored image."""
    columns = ("row", "column", "radius", "lobes", "depth", "phase")
    rows = (
        {
            "image_id": image.image_id,
            "present": image.lesion is not None,
            **{name: getattr(image.lesion, name, None) for name in columns},
        }
        for image in images
    )
    return _frame(rows, ("image_id", "present", *columns))


def latents_table(patients: Patients) -> pl.DataFrame:
    """A row a patient: what drives her hazard."""
    return pl.DataFrame(
        {"patient_id": patient.patient_id, **vars(patient.latents)} for patient in patients
    )


def index_dates_table(patients: Patients) -> pl.DataFrame:
    """A row a patient: the made-up date that the dates in her DICOM files count from."""
    return pl.DataFrame(
        {"patient_id": patient.patient_id, "index_date": patient.index_date} for patient in patients
    )


def oracle_table(settings: SimulationSettings, patients: Patients) -> pl.DataFrame:
    """The risk that follows from the truth, a row at the index date and one at each exam.

    `risk` is P(recurrence in (landmark, landmark + horizon] | no event by the landmark);
    `term_…` are what the signals add to `linear_predictor`.
    """
    rows = (
        {
            "patient_id": patient.patient_id,
            "exam_id": exam_id,
            "landmark": float(day),
            "horizon": settings.horizon,
            "risk": recurrence_risk(
                patient.linear_predictor, float(day), settings.horizon, settings.hazard
            ),
            "linear_predictor": patient.linear_predictor,
            **{f"term_{name}": term for name, term in patient.terms.items()},
        }
        for patient in patients
        for exam_id, day in [
            (None, 0),
            *((patient.exam_id(exam), day) for exam, day in enumerate(patient.days)),
        ]
    )
    return pl.DataFrame(rows, infer_schema_length=None)


def _frame(rows: Iterable[dict[str, Any]], columns: Sequence[str]) -> pl.DataFrame:
    frame = pl.DataFrame(list(rows), infer_schema_length=None)
    return frame if len(frame) else pl.DataFrame(schema=dict.fromkeys(columns, pl.String))
