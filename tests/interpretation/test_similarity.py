from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ortho_group

from sequela.errors import UndefinedMetricError
from sequela.interpretation.similarity import cka, cka_estimate, expected_cka

GENERATOR = np.random.default_rng(0)
PART = GENERATOR.normal(size=(40, 6)) * np.arange(1, 7)


def test_a_rotated_scaled_moved_copy_is_the_same() -> None:
    turned = 3.0 * PART @ ortho_group.rvs(6, random_state=1) + 10.0
    assert cka(PART, turned) == pytest.approx(1.0, abs=1e-12)


def test_noise_is_where_small_samples_put_it_and_not_at_0() -> None:
    drawn = [
        (cka(a, b), expected_cka(a, b))
        for a, b in (GENERATOR.normal(size=(2, 30, 20)) for _ in range(200))
    ]
    found, expected = np.mean(drawn, axis=0)
    assert found == pytest.approx(expected, abs=0.005)
    assert expected > 0.3


def test_the_expectation_is_the_mean_over_permutations() -> None:
    other = GENERATOR.normal(size=(40, 3)) + PART[:, :3]
    drawn = [cka(PART, GENERATOR.permutation(other)) for _ in range(2000)]
    assert np.mean(drawn) == pytest.approx(expected_cka(PART, other), abs=0.003)


def test_the_interval_covers_what_as_many_patients_say_on_average() -> None:
    def pair(count: int) -> tuple[np.ndarray, np.ndarray]:
        first = GENERATOR.normal(size=(count, 3))
        return first, first + GENERATOR.normal(size=(count, 3))

    truth = np.mean([cka(*pair(60)) for _ in range(300)])
    covered = 0
    for _ in range(40):
        found = cka_estimate(*pair(60))
        assert found.low is not None and found.high is not None
        covered += found.low <= truth <= found.high
    assert covered >= 33


def test_a_part_that_is_the_same_for_all_has_none() -> None:
    with pytest.raises(UndefinedMetricError, match="same for all"):
        cka(PART, np.ones((40, 2)))
    with pytest.raises(UndefinedMetricError, match="three"):
        cka_estimate(PART[:2], PART[:2])
