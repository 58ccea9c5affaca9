from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from sequela.interpretation.intervals import mean, ratio, share


@pytest.mark.parametrize("hits", [0, 3, 10])
def test_a_share_has_the_interval_of_wilson(hits: int) -> None:
    found = share(float(hits), 10, 10)
    expected = binomtest(hits, 10).proportion_ci(method="wilson")
    assert found.value == hits / 10
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_views_of_one_patient_narrow_nothing() -> None:
    assert share(30.0, 60, 15) == share(15.0, 30, 15)
    assert share(0.0, 0, 0).value is None


def test_a_mean_covers_the_truth_about_as_often_as_it_says() -> None:
    generator = np.random.default_rng(0)
    patient = [str(row // 3) for row in range(90)]
    covered = 0
    for _ in range(60):
        values = np.repeat(generator.normal(2.0, 1.0, 30), 3) + generator.normal(0, 0.2, 90)
        found = mean(values, patient)
        assert found.low is not None and found.high is not None
        covered += found.low <= 2.0 <= found.high
    assert covered >= 51  # of 60; rows taken for patients would cover about 43


def test_what_has_no_spread_or_no_second_patient_has_no_interval() -> None:
    flat = mean(np.zeros(4), ["a", "b", "c", "d"])
    assert (flat.value, flat.low) == (0.0, None)
    assert "same value" in flat.reason
    assert mean(np.array([1.0, 2.0]), ["a", "a"]).low is None
    assert ratio(np.ones(2), np.zeros(2), ["a", "b"]).value is None
