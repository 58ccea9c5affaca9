import re
from collections.abc import Iterable

import pytest

from sequela.simulation.notes import write_note
from sequela.simulation.patients import draw_patient
from sequela.simulation.phrases import PHRASES
from sequela.simulation.settings import SimulationSettings, VisitSettings

COMPLETE = VisitSettings(missing_note=0.0, unsaid=0.0)
SETTINGS = SimulationSettings(visits=COMPLETE)
OUTCOME = re.compile(
    r"recur|relaps|metasta|progress|died|death|decease|recidief|terugkeer|overled|uitzaai", re.I
)


def notes(settings: SimulationSettings, count: int = 60) -> Iterable[tuple[object, int, str]]:
    for number in range(count):
        patient = draw_patient(settings, number)
        for exam in range(len(patient.days)):
            note = write_note(settings, patient, exam)
            if note is not None:
                yield patient, exam, note


def test_no_note_speaks_of_an_outcome() -> None:
    for phrases in PHRASES.values():
        assert OUTCOME.search(repr(phrases)) is None
    assert OUTCOME.search("No sign of recurrence") is not None


def test_a_complete_note_tells_every_fact() -> None:
    for patient, _, note in notes(SETTINGS):
        phrases, latents = PHRASES[patient.language], patient.latents
        assert any(way in note for way in phrases.invasion[latents.text > 0])
        assert not any(way in note for way in phrases.invasion[latents.text < 0])
        assert any(way in note for way in phrases.radiotherapy[latents.moderator > 0])
        assert not any(way in note for way in phrases.radiotherapy[latents.moderator < 0])
        assert any(way in note for way in phrases.receptor[patient.covariates.receptor])


def test_the_density_category_rises_with_the_shared_latent() -> None:
    told: dict[int, list[float]] = {0: [], 1: [], 2: [], 3: []}
    for patient, _, note in notes(SETTINGS, 80):
        ways = PHRASES[patient.language].density
        (category,) = [row for row, words in enumerate(ways) if any(way in note for way in words)]
        told[category].append(patient.latents.shared)
    for lower, higher in ((0, 1), (1, 2), (2, 3)):
        assert max(told[lower]) <= min(told[higher])


@pytest.mark.parametrize(("share", "expected"), [(0.0, 0), (1.0, 1)])
def test_size_is_told_only_where_asked(share: float, expected: int) -> None:
    settings = SETTINGS.evolve(size_told=share)
    for patient, _, note in notes(settings):
        words = [word for ways in PHRASES[patient.language].size for word in ways]
        assert (sum(word in note for word in words) > 0) == bool(expected)


def test_a_hospital_writes_in_one_language_and_both_occur() -> None:
    spoken = {(patient.site, patient.language) for patient, _, _ in notes(SETTINGS)}
    assert len(spoken) == SETTINGS.sites
    assert {language for _, language in spoken} == {"en", "nl"}


def test_notes_and_facts_are_missing_as_often_as_stated() -> None:
    settings = SimulationSettings(visits=VisitSettings(missing_note=0.3, unsaid=0.2))
    exams = sum(len(draw_patient(settings, number).days) for number in range(150))
    found = list(notes(settings, 150))
    assert 0.22 < 1 - len(found) / exams < 0.38
    silent = [
        not any(way in note for way in PHRASES[patient.language].invasion[patient.latents.text > 0])
        for patient, _, note in found
    ]
    assert 0.14 < sum(silent) / len(silent) < 0.26


def test_a_note_does_not_change_when_more_exams_follow() -> None:
    patient = next(
        person for person in (draw_patient(SETTINGS, n) for n in range(50)) if len(person.days) > 2
    )
    shorter = type(patient)(**{**vars(patient), "days": patient.days[:1]})
    assert write_note(SETTINGS, shorter, 0) == write_note(SETTINGS, patient, 0)
