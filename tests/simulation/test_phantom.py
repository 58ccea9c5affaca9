import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from sequela.simulation.mammograms import intended_display, lesion_in, planned_images
from sequela.simulation.patients import SimulatedPatient, draw_patient
from sequela.simulation.phantom import RADIUS_RANGE, draw_breast, radius_at
from sequela.simulation.settings import MammogramSettings, SimulationSettings

SETTINGS = SimulationSettings(mammogram=MammogramSettings(height=192, width=160))


def someone(**latents: float) -> SimulatedPatient:
    """A patient with these latents and four exams, a year apart."""
    patient = draw_patient(SETTINGS, 1)
    return replace(patient, latents=replace(patient.latents, **latents), days=(50, 415, 780, 1145))


PEOPLE = [
    replace(draw_patient(SETTINGS, number), days=(30, 400), sides=("L", "R")) for number in range(6)
]


def test_the_mask_covers_the_bright_pixels() -> None:
    for patient in PEOPLE:
        for taken in planned_images(SETTINGS, patient):
            brightness = intended_display(SETTINGS, patient, taken)
            lesion = lesion_in(SETTINGS, patient, taken)
            bright = brightness > 0.7
            if lesion is None:
                assert not bright.any()
                continue
            mask = lesion.mask(*brightness.shape)
            overlap = (mask & bright).sum() / (mask | bright).sum()
            assert overlap > 0.85
            assert mask[round(lesion.row), round(lesion.column)]


def test_the_area_of_the_mask_is_that_of_a_disc_of_its_radius() -> None:
    for patient in PEOPLE:
        for taken in planned_images(SETTINGS, patient):
            if lesion := lesion_in(SETTINGS, patient, taken):
                area = lesion.mask(192, 160).sum()
                disc = math.pi * lesion.radius**2 * (1 + lesion.depth**2 / 2)
                assert area == pytest.approx(disc, rel=0.06)


def test_the_radius_tells_the_image_latent_and_the_change_latent() -> None:
    size = [
        radius_at(SETTINGS.mammogram, someone(image=value, change=0.0), 0)
        for value in (-1.0, 0.0, 1.0)
    ]
    assert size[2] / size[1] == pytest.approx(size[1] / size[0])
    assert size[0] < size[1] < size[2]
    growing, steady, shrinking = (
        [
            radius_at(SETTINGS.mammogram, someone(image=0.0, change=value), day)
            for day in (0, 365, 730)
        ]
        for value in (1.0, 0.0, -1.0)
    )
    assert growing[0] < growing[1] < growing[2]
    assert steady[0] == steady[1] == steady[2]
    assert shrinking[0] > shrinking[1] > shrinking[2]


def test_on_the_size_day_growth_is_not_to_be_seen_and_before_it_runs_backwards() -> None:
    settings = MammogramSettings(growth=0.4, size_day=900)
    early, then, late = (
        [radius_at(settings, someone(image=0.3, change=value), day) for value in (-1.0, 1.0)]
        for day in (500, 900, 1300)
    )
    assert then[0] == then[1]
    assert early[0] > then[0] > late[0]
    assert early[1] < then[1] < late[1]


def test_the_radius_keeps_its_range() -> None:
    assert radius_at(SETTINGS.mammogram, someone(image=9.0), 0) == RADIUS_RANGE[1]
    assert radius_at(SETTINGS.mammogram, someone(image=-9.0), 0) == RADIUS_RANGE[0]


def test_a_denser_breast_is_brighter() -> None:
    shades = [
        draw_breast(SETTINGS.mammogram, someone(shared=value), "L", "CC").tissue.mean()
        for value in (-1.5, -0.5, 0.5, 1.5)
    ]
    assert shades == sorted(shades)


def test_the_same_breast_looks_alike_over_visits_and_unlike_another_womans() -> None:
    def picture(patient: SimulatedPatient, exam: int) -> np.ndarray:
        taken = next(
            image
            for image in planned_images(SETTINGS.evolve(visits={"missing_view": 0.0}), patient)
            if image.exam == exam and image.side != patient.side and image.view == "CC"
        )
        display = intended_display(SETTINGS, patient, taken)[:, :, None]
        half = display if taken.side == "L" else display[:, ::-1]
        return half.reshape(24, 8, 20, 8).mean(axis=(1, 3)).ravel()

    alike = [np.corrcoef(picture(patient, 0), picture(patient, 1))[0, 1] for patient in PEOPLE]
    unlike = [np.corrcoef(picture(one, 0), picture(two, 0))[0, 1] for one, two in pairwise(PEOPLE)]
    assert min(alike) > max(unlike)


def test_air_is_black_and_brightness_is_between_0_and_1() -> None:
    for patient in PEOPLE:
        for taken in planned_images(SETTINGS, patient):
            brightness = intended_display(SETTINGS, patient, taken)
            assert 0 == brightness.min() <= brightness.max() <= 1
            assert 0.2 < np.mean(brightness == 0) < 0.8
