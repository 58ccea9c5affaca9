"""Laws of incidence under competing hazards, and agreement with Aalen-Johansen."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sequela.survival.aalen_johansen import aalen_johansen
from sequela.survival.cause_specific import (
    StepHazard,
    incidence_of_hazards,
    incidence_of_steps,
)
from sequela.survival.risk_sets import risk_sets

hazards = arrays(float, (3, 7), elements=st.floats(0, 3))


@given(hazards, hazards)
def test_the_incidences_of_all_causes_and_survival_sum_to_one(
    cause: np.ndarray, other: np.ndarray
) -> None:
    free = np.exp(-(cause + other).cumsum(axis=1))
    total = incidence_of_hazards(cause, other) + incidence_of_hazards(other, cause) + free
    np.testing.assert_allclose(total, 1)


@given(hazards)
def test_alone_a_cause_leaves_one_minus_its_survival(cause: np.ndarray) -> None:
    alone = incidence_of_hazards(cause, np.zeros_like(cause))
    np.testing.assert_allclose(alone, -np.expm1(-cause.cumsum(axis=1)), atol=1e-12)


def test_constant_hazards_have_the_incidence_of_the_textbook() -> None:
    days = np.array([10.0, 200.0, 900.0])
    widths = np.diff(days, prepend=0.0)[None]
    found = incidence_of_hazards(0.001 * widths, 0.003 * widths)
    np.testing.assert_allclose(found[0], 0.25 * -np.expm1(-0.004 * days))


def test_hazards_of_many_patients_give_what_aalen_johansen_counts() -> None:
    random = np.random.default_rng(0)
    time, event = random.exponential(500, 20_000), random.integers(0, 3, 20_000)
    sets = [risk_sets(time, event == cause) for cause in (1, 2)]
    added = [one.events / one.at_risk for one in sets]
    counted = aalen_johansen(time, event)
    found = incidence_of_hazards(added[0][None], added[1][None])[0]
    early = counted.time < 1500
    np.testing.assert_allclose(found[early], counted.incidence[early], atol=2e-4)
    assert counted.incidence[early][-1] == pytest.approx(0.5 * (1 - np.exp(-2)), abs=0.015)


def test_an_incidence_never_passes_one_however_high_the_hazard() -> None:
    days = np.linspace(1.0, 4000.0, 92)
    hazard = StepHazard(tuple(days.tolist()), tuple(np.linspace(0.003, 0.8, 92).tolist()))
    relative = np.exp(np.linspace(-3, 12, 4000))
    incidence = incidence_of_steps([(hazard, relative)], tuple(np.linspace(1, 4000, 40)))
    assert incidence.min() >= 0
    assert incidence.max() == 1
