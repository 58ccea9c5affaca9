"""Notes of follow-up visits: history and findings, in the words of one exam's day."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from sequela.cohort.patient import Side
from sequela.simulation.patients import SimulatedPatient, Stream
from sequela.simulation.phantom import lies_high, radius_at
from sequela.simulation.phrases import PHRASES, Phrases
from sequela.simulation.settings import SimulationSettings

DENSITY_CUTS = (-0.9, 0.0, 0.9)
"""Standard deviations of the shared latent that part the density categories a, b, c and d."""
SIZE_CUTS = (0.055, 0.09)
"""Radii, as shares of the image's height, that part small, medium-sized and large masses."""


def write_note(settings: SimulationSettings, patient: SimulatedPatient, exam: int) -> str | None:
    """The note of an exam, or None where there is none.

    Facts of the history come back in every note; each is left out now and then. The note knows
    the patient's past and the images of its own day, nothing later.
    """
    generator = patient.generator(Stream.NOTE, exam)
    if generator.random() < settings.visits.missing_note:
        return None
    phrases = PHRASES[patient.language]
    facts = [_choose(generator, ways) for ways in _history(patient, phrases)]
    told = generator.random(len(facts)) >= settings.visits.unsaid
    history = [fact for fact, said in zip(facts, told, strict=True) if said]
    generator.shuffle(history)
    sentences = [
        _choose(generator, phrases.opening),
        *history,
        *_findings(settings, patient, exam, phrases, generator),
        _choose(generator, phrases.complaints),
        _choose(generator, phrases.closing),
    ]
    return " ".join(sentences)


def _choose(generator: np.random.Generator, ways: Sequence[str]) -> str:
    return ways[int(generator.integers(len(ways)))]


def _history(patient: SimulatedPatient, phrases: Phrases) -> tuple[Sequence[str], ...]:
    """Ways of saying each fact that was known before the first exam."""
    covariates = patient.covariates
    return (
        phrases.invasion[patient.latents.text > 0],
        phrases.radiotherapy[patient.latents.moderator > 0],
        phrases.receptor[covariates.receptor],
        [way.format(nodes=covariates.nodes) for way in phrases.nodes],
        [way.format(grade=covariates.grade) for way in phrases.grade],
    )


def _findings(
    settings: SimulationSettings,
    patient: SimulatedPatient,
    exam: int,
    phrases: Phrases,
    generator: np.random.Generator,
) -> list[str]:
    """What the images of the day show, in sentences."""

    def say(ways: Sequence[str], **words: str) -> str:
        return _choose(generator, ways).format(**words)

    sentences = []
    if generator.random() >= settings.visits.unsaid:
        category = int(np.searchsorted(DENSITY_CUTS, patient.latents.shared))
        sentences.append(say(phrases.density[category]))
    side, place = phrases.side[patient.side], phrases.place[lies_high(patient)]
    size = _size(settings, patient, exam, say, phrases)
    sentences.append(say(phrases.mass, side=side, place=place, size=size))
    other: Side = "R" if patient.side == "L" else "L"
    ways = phrases.other_breast if other in patient.sides else phrases.one_breast
    sentences.append(say(ways, side=phrases.side[other]))
    return sentences


def _size(
    settings: SimulationSettings,
    patient: SimulatedPatient,
    exam: int,
    say: Callable[..., str],
    phrases: Phrases,
) -> str:
    told = patient.generator(Stream.NOTE, exam, 1).random() < settings.size_told
    if not told:
        return ""
    radius = radius_at(settings.mammogram, patient, patient.days[exam])
    return say(phrases.size[int(np.searchsorted(SIZE_CUTS, radius))])
