"""Simulated patients: their latents, covariates, visits and what becomes of them.

Every patient has generators of her own, keyed by (seed, stream, patient …), so neither the
number of patients, nor the workers, nor the way images are drawn changes any other number.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from enum import IntEnum

import numpy as np

from sequela.cohort.patient import Side
from sequela.simulation.hazard import Latents, draw_censoring, draw_event, log_hazard_terms
from sequela.simulation.settings import Language, SimulationSettings, VisitSettings

_FIRST_INDEX_DATE = date(2001, 1, 1)
_INDEX_DATES = 3650


class Stream(IntEnum):
    """What a generator is for."""

    LATENTS = 1
    COVARIATES = 2
    EVENT = 3
    VISITS = 4
    BREAST = 5
    EXAM = 6
    NOTE = 7


def keyed_generator(seed: int, stream: Stream, *key: int) -> np.random.Generator:
    """The generator of one purpose and one thing, the same whatever else was drawn before."""
    return np.random.default_rng([seed, stream, *key])


@dataclass(frozen=True)
class Covariates:
    """The clinical table's row, as it truly is.

    Attributes:
        age: Years.
        grade: 1, 2 or 3.
        nodes: Positive lymph nodes.
        receptor: Whether the oestrogen receptor is positive.
    """

    age: float
    grade: int
    nodes: int
    receptor: bool


@dataclass(frozen=True)
class SimulatedPatient:
    """One patient and her whole truth.

    Attributes:
        seed: Of the cohort.
        number: Her place in the cohort, from 0; the key of her generators.
        site: Her hospital, from 0.
        side: The breast that holds the mass.
        sides: The breasts that are imaged: both, or the one that is left.
        days: Days of her exams, all before `time`.
        time: Day of the event, or the last day of follow-up.
        event: 0 censored, 1 recurrence, 2 death.
        index_date: A made-up date that the DICOM files count from.
        terms: What each signal adds to her linear predictor.
    """

    seed: int
    number: int
    site: int
    language: Language
    side: Side
    sides: tuple[Side, ...]
    latents: Latents
    covariates: Covariates
    days: tuple[int, ...]
    time: int
    event: int
    index_date: date
    terms: dict[str, float]

    @property
    def patient_id(self) -> str:
        """Her id in every table."""
        return f"SIM-{self.number:05d}"

    def generator(self, stream: Stream, *key: int) -> np.random.Generator:
        """Her generator for one purpose, and one exam or view where `key` names it."""
        return keyed_generator(self.seed, stream, self.number, *key)

    def exam_id(self, exam: int) -> str:
        """The id of her exam, counted from 0."""
        return f"{self.patient_id}-E{exam + 1}"

    @property
    def linear_predictor(self) -> float:
        """The sum of the terms."""
        return sum(self.terms.values())


def draw_patient(settings: SimulationSettings, number: int) -> SimulatedPatient:
    """The patient with this number, the same in every cohort of these settings."""
    covariates = _draw_covariates(keyed_generator(settings.seed, Stream.COVARIATES, number))
    generator = keyed_generator(settings.seed, Stream.LATENTS, number)
    latents = _draw_latents(generator, covariates)
    side: Side = "L" if generator.random() < 0.5 else "R"
    one_breast = generator.random() < settings.visits.unilateral
    site = int(generator.integers(settings.sites))
    terms = log_hazard_terms(latents, settings.signals)
    time, event = _draw_outcome(settings, number, sum(terms.values()))
    visits = keyed_generator(settings.seed, Stream.VISITS, number)
    index_date = _FIRST_INDEX_DATE + timedelta(days=int(visits.integers(_INDEX_DATES)))
    planned = plan_visits(visits, settings.visits)
    return SimulatedPatient(
        seed=settings.seed,
        number=number,
        site=site,
        language=settings.languages[site % len(settings.languages)],
        side=side,
        sides=(side,) if one_breast else ("L", "R"),
        latents=latents,
        covariates=covariates,
        days=tuple(day for day in planned if day < time),
        time=time,
        event=event,
        index_date=index_date,
        terms=terms,
    )


def _draw_latents(generator: np.random.Generator, covariates: Covariates) -> Latents:
    image, shared, change = (float(value) for value in generator.standard_normal(3))
    text, moderator = (float(value) for value in generator.integers(2, size=2) * 2 - 1)
    return Latents(image, text, moderator, shared, change, _clinical_score(covariates))


def _draw_covariates(generator: np.random.Generator) -> Covariates:
    return Covariates(
        age=round(float(np.clip(generator.normal(60, 11), 28, 92)), 1),
        grade=1 + int(generator.choice(3, p=(0.2, 0.45, 0.35))),
        nodes=int(min(generator.negative_binomial(0.6, 0.25), 30)),
        receptor=bool(generator.random() < 0.75),
    )


def _clinical_score(covariates: Covariates) -> float:
    """A sum with mean 0 and standard deviation 1 over the covariates' distribution (to 1 %)."""
    grade = (covariates.grade - 2.15) / 0.726
    nodes = (np.log1p(covariates.nodes) - 0.715) / 0.750
    receptor = (0.75 - covariates.receptor) / 0.433
    return float((0.7 * grade + 0.8 * nodes + 0.5 * receptor) / np.sqrt(1.38))


def _draw_outcome(
    settings: SimulationSettings, number: int, linear_predictor: float
) -> tuple[int, int]:
    """The day, rounded up, and 0, 1 or 2."""
    generator = keyed_generator(settings.seed, Stream.EVENT, number)
    time, cause = draw_event(generator, linear_predictor, settings.hazard)
    end = draw_censoring(generator, settings.hazard)
    return max(1, int(np.ceil(min(time, end)))), cause if time <= end else 0


def plan_visits(generator: np.random.Generator, visits: VisitSettings) -> tuple[int, ...]:
    """The days on which a patient would be seen if nothing happened; knows no outcome."""
    count = int(generator.integers(visits.fewest, visits.most + 1))
    gaps = generator.normal(visits.gap, visits.jitter, count).clip(190, None)
    short = generator.random(count) < visits.short_share
    gaps[short] = generator.uniform(90, 182, int(short.sum()))
    gaps[0] = generator.uniform(20, 120)
    return tuple(int(day) for day in np.round(np.cumsum(gaps)))
