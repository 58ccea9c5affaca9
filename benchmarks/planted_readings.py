"""What encoders would hand on of a simulated patient, and what can be deduced from it at best.

Each exam's image gives the mass's log radius, the breast's density and as many numbers that mean
nothing; its note gives what it tells. Both are mixed in fixed random directions of a feature space,
under noise. So even one who knew how the cohort was made could not know the hazard: `deduced` is
what is left to know, and the honest ceiling of any model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from sequela.cohort.selection import Selection
from sequela.modalities.batch import Batch
from sequela.simulation.patients import SimulatedPatient, draw_patient
from sequela.simulation.settings import YEAR, SimulationSettings

FEATURES = 16
GROWTH, SIZE = 0.4, 0.35  # log radius a year, and at the index date, of one standard deviation
UNIT = 0.5  # of log radius in a feature
NOISE = 0.1  # of a feature, whose own standard deviation is about 1
_IMAGE, _NOTE = 1, 2  # streams of directions


class Reading(nn.Module):
    """An encoder that has done its work: what it found, through one learned layer."""

    def __init__(self, kind: str, dim: int) -> None:
        super().__init__()
        self.kind = kind
        self.projection = nn.Linear(FEATURES, dim)

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """One vector an exam, and which exams have one."""
        clinical = batch.views if self.kind == "image" else batch.tokens
        present = batch.view_mask if self.kind == "image" else batch.text_mask
        assert clinical is not None
        assert present is not None
        read: Tensor = self.projection(clinical.flatten(2))
        return read, present.any(dim=2) if self.kind == "image" else present


@dataclass(frozen=True)
class Read:
    """Every case as the encoders hand it on: two exams, the landmark's last."""

    images: Float[np.ndarray, "case exam feature"]
    notes: Float[np.ndarray, "case exam feature"]
    told: Bool[np.ndarray, "case exam"]
    days: Float[np.ndarray, "case exam"]

    def __len__(self) -> int:
        return len(self.images)

    def at(self, epoch: int) -> Read:
        """The same: nothing is augmented."""
        return self

    def __getitem__(self, index: int) -> Batch:
        views = torch.from_numpy(self.images[index]).float().reshape(1, 2, 1, 1, FEATURES)
        return Batch(
            day=torch.from_numpy(self.days[index : index + 1]).float(),
            exam_mask=torch.ones(1, 2, dtype=torch.bool),
            views=views,
            view_kind=torch.zeros(1, 2, 1, dtype=torch.int64),
            view_mask=torch.ones(1, 2, 1, dtype=torch.bool),
            tokens=torch.from_numpy(self.notes[index : index + 1]).float(),  # type: ignore[arg-type]
            token_mask=torch.ones(1, 2, FEATURES, dtype=torch.bool),
            text_mask=torch.from_numpy(self.told[index : index + 1]),
        )


def read_of(settings: SimulationSettings, hidden: str, selection: Selection) -> Read:
    """What encoders would find in the images and notes of each case's two exams."""
    images, notes, told, days = [], [], [], []
    for case in selection.cases:
        patient = draw_patient(settings, int(case.patient_id.removeprefix("SIM-")))
        generator = np.random.default_rng((settings.seed, 99, patient.number))
        exams = [exam.day for exam in case.exams]
        images.append(found_in_images(patient, exams, generator, hidden=hidden == "change"))
        notes.append(found_in_notes(patient, settings, generator, hidden=hidden == "interaction"))
        told.append(generator.random(2) >= settings.visits.missing_note)
        days.append([day - case.landmark for day in exams])
    return Read(np.array(images), np.array(notes), np.array(told), np.array(days))


def found_in_images(
    patient: SimulatedPatient,
    days: Sequence[float],
    generator: np.random.Generator,
    *,
    hidden: bool,
) -> Float[np.ndarray, "exam feature"]:
    """Log radius and density, four numbers of the patient's and four of the exam's own."""
    latents = patient.latents
    own = generator.standard_normal(4)
    rows = []
    for day in days:
        grown = 0.0 if hidden else GROWTH * latents.change * (day - days[-1]) / YEAR
        size = (SIZE * latents.image + grown) / UNIT
        rows.append(np.array([size, latents.shared, *own, *generator.standard_normal(4)]))
    return mixed(np.array(rows), _IMAGE, generator)


def found_in_notes(
    patient: SimulatedPatient,
    settings: SimulationSettings,
    generator: np.random.Generator,
    *,
    hidden: bool,
) -> Float[np.ndarray, "exam feature"]:
    """Facts that each note tells or leaves out, and six that mean nothing."""
    latents, covariates = patient.latents, patient.covariates
    facts = np.array(
        [
            latents.text,
            0.0 if hidden else latents.moderator,
            1.0 if covariates.receptor else -1.0,
            (np.log1p(covariates.nodes) - 0.7) / 0.75,
            (covariates.grade - 2.15) / 0.73,
            float(np.digitize(latents.shared, (-0.9, 0.0, 0.9))) - 1.5,
            *(generator.integers(2, size=6) * 2.0 - 1.0),
        ]
    )
    said = generator.random((2, len(facts))) >= settings.visits.unsaid
    return mixed(facts * said, _NOTE, generator)


def mixed(
    values: Float[np.ndarray, "exam latent"], stream: int, generator: np.random.Generator
) -> Float[np.ndarray, "exam feature"]:
    """The values in fixed random directions of a feature space, under noise."""
    noise = NOISE * generator.standard_normal((len(values), FEATURES))
    spread: np.ndarray = values @ directions(stream, values.shape[1]) + noise
    return spread


def directions(stream: int, latents: int) -> Float[np.ndarray, "latent feature"]:
    """Where each number lies in the feature space, the same in every cohort."""
    drawn = np.random.default_rng(stream).standard_normal((latents, FEATURES))
    rows: np.ndarray = drawn / np.sqrt(latents)
    return rows


def deduced(read: Read, settings: SimulationSettings) -> Float[np.ndarray, " case"]:
    """The linear predictor that is expected of each case by one who knows all but the latents.

    Size and growth are Gaussian given the images of both exams. Of a fact each note says yes, no or
    nothing, further apart than the noise reaches; where both leave it out it counts as 0.
    """
    size, growth, density = _seen_in_images(read).T
    invasion, omitted = _told_in_notes(read)[:, :2].T
    signals = settings.signals
    expected: np.ndarray = (
        signals.image * size
        + signals.text * invasion
        + signals.shared * density
        + signals.interaction * size * omitted
        + signals.change * growth
    )
    return expected


def _seen_in_images(read: Read) -> Float[np.ndarray, "case latent"]:
    """Posterior means of size, growth and density: unknown are these, 4 numbers and 8 of exams."""
    spread = directions(_IMAGE, 10)
    design = np.zeros((len(read), 2, FEATURES, 15))
    design[..., 0] = SIZE / UNIT * spread[0]
    design[..., 1] = GROWTH / UNIT * (read.days / YEAR)[:, :, None] * spread[0]
    design[..., 2:7] = spread[1:6].T
    for exam in range(2):
        own = slice(7 + 4 * exam, 11 + 4 * exam)
        design[:, exam, :, own] = spread[6:].T
    flat = design.reshape(len(read), -1, 15) / NOISE
    precision = np.eye(15) + flat.transpose(0, 2, 1) @ flat
    seen = flat.transpose(0, 2, 1) @ (read.images.reshape(len(read), -1, 1) / NOISE)
    means: np.ndarray = np.linalg.solve(precision, seen)[:, :3, 0]
    return means


def _told_in_notes(read: Read) -> Float[np.ndarray, "case fact"]:
    """Yes, no or untold (1, -1, 0) of each fact, from whichever notes say it."""
    spread = directions(_NOTE, 12) / NOISE
    precision = np.eye(len(spread)) + spread @ spread.T
    facts = np.linalg.solve(precision, spread @ (read.notes / NOISE).transpose(0, 2, 1))
    said = np.where((np.abs(facts) > 0.5) & read.told[:, None, :], facts, 0.0)
    told: np.ndarray = np.sign(said.sum(axis=2))
    return told
