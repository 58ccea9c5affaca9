from __future__ import annotations

import numpy as np
import pytest

from sequela.errors import UndefinedMetricError
from sequela.interpretation.overlap import disc, expected_overlap, overlap
from sequela.interpretation.pointing import Lesion, chance

SIZE = 64
LESION = Lesion(row=20.0, column=40.0, radius=6.0)


def test_a_map_of_the_lesion_overlaps_it_wholly() -> None:
    assert overlap(disc(LESION, SIZE).astype(float) * 7, LESION, SIZE) == 1


def test_a_map_elsewhere_or_nowhere_does_not_overlap() -> None:
    away = disc(Lesion(50.0, 10.0, 6.0), SIZE).astype(float)
    assert overlap(away, LESION, SIZE) == 0
    assert overlap(np.zeros((8, 8)), LESION, SIZE) == 0


def test_a_shifted_disc_overlaps_as_the_lens_of_two_circles() -> None:
    shifted = Lesion(LESION.row, LESION.column + 6.0, LESION.radius)
    found = overlap(disc(shifted, SIZE).astype(float), LESION, SIZE)
    both, either = (
        (f(disc(shifted, SIZE), disc(LESION, SIZE))).sum() for f in (np.logical_and, np.logical_or)
    )
    assert found == both / either
    radius, apart = 6.0, 6.0
    lens = 2 * radius**2 * np.arccos(apart / 2 / radius)
    lens -= apart / 2 * np.sqrt(4 * radius**2 - apart**2)
    assert found == pytest.approx(lens / (2 * np.pi * radius**2 - lens), abs=0.02)


def test_scale_of_the_map_does_not_matter() -> None:
    strength = np.random.default_rng(0).random((8, 8))
    assert overlap(strength, LESION, SIZE) == overlap(strength * 3, LESION, SIZE)


def test_a_coarse_map_that_peaks_on_the_lesion_beats_one_that_does_not() -> None:
    strength = np.zeros((8, 8))
    strength[2, 5] = 1.0
    at_peak = Lesion(row=2.5 * 8 - 0.5, column=5.5 * 8 - 0.5, radius=4.0)
    assert overlap(strength, at_peak, SIZE) > 0.6
    assert overlap(strength.T, at_peak, SIZE) == 0


def test_chance_is_what_discs_at_random_points_have() -> None:
    pixels = np.zeros((SIZE, SIZE), dtype=np.uint8)
    pixels[10:50, 20:60] = 90
    generator = np.random.default_rng(1)
    drawn = []
    for row, column in generator.integers((10, 20), (50, 60), (1500, 2)):
        other = disc(Lesion(float(row), float(column), LESION.radius), SIZE)
        mask = disc(LESION, SIZE)
        drawn.append((mask & other).sum() / (mask | other).sum())
    assert expected_overlap(pixels, LESION) == pytest.approx(np.mean(drawn), abs=0.01)


def test_no_breast_no_chance() -> None:
    nothing = np.zeros((SIZE, SIZE), dtype=np.uint8)
    with pytest.raises(UndefinedMetricError, match="no breast"):
        expected_overlap(nothing, LESION)
    with pytest.raises(UndefinedMetricError, match="no breast"):
        chance(nothing, LESION, cell=1.0)


def test_chance_is_a_number_for_lesions_of_every_size() -> None:
    pixels = np.full((32, 32), 100, dtype=np.uint8)
    for radius in (0.0, 2.63874115845167, *np.linspace(0.1, 9.0, 90)):
        lesion = Lesion(row=22.162991702508165, column=19.540615168398556, radius=float(radius))
        assert 0 < expected_overlap(pixels, lesion) < 1
