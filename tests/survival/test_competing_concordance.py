from __future__ import annotations

import numpy as np
import pytest

from sequela.errors import UndefinedMetricError
from sequela.survival.competing_concordance import competing_concordance
from sequela.survival.concordance import concordance

HAIR = 1e-5


def literal(
    time: np.ndarray,
    event: np.ndarray,
    risk: np.ndarray,
    *,
    until: float,
    weighed: bool = True,
    counts: np.ndarray | None = None,
) -> float:
    """Wolbers et al. 2014, eq. 4, pair by pair; the pair's terms A and B as the paper has them."""
    counts = np.ones(len(time)) if counts is None else counts

    def uncensored(day: float) -> float:
        share = 1.0
        for moment in np.unique(time[time < day]):
            here = time == moment
            at_risk = counts[time >= moment].sum() - counts[here & (event > 0)].sum()
            share *= 1 - counts[here & (event == 0)].sum() / at_risk
        return share

    free = np.array([uncensored(day) for day in time]) if weighed else np.ones(len(time))
    won = pairs = 0.0
    for i in np.flatnonzero((event == 1) & (time <= until)):
        for j in range(len(time)):
            outlived = time[j] > time[i] or (time[j] == time[i] and event[j] == 0)
            spared = event[j] > 1 and time[j] <= time[i]
            weight = outlived / free[i] ** 2 + spared / (free[i] * free[j])
            weight *= counts[i] * counts[j]
            won += weight * ((risk[i] > risk[j]) + (risk[i] == risk[j]) / 2)
            pairs += weight
    return won / pairs


@pytest.fixture(scope="module")
def patients() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(2)
    time = np.ceil(generator.exponential(10, 60))
    event = generator.choice(3, size=60, p=[0.4, 0.35, 0.25])
    return time, event, np.round(generator.normal(size=60) - (event == 1), 1)


@pytest.mark.parametrize("pairs", ["uno", "harrell"])
@pytest.mark.parametrize("until", [9.0, 1e9])
def test_it_is_the_literal_form(
    patients: tuple[np.ndarray, np.ndarray, np.ndarray], pairs: str, until: float
) -> None:
    found = competing_concordance(*patients, pairs=pairs, horizon=until)  # type: ignore[arg-type]
    expected = literal(*patients, until=until, weighed=pairs == "uno")
    assert found.value == pytest.approx(expected, rel=1e-12)


def test_a_competing_event_puts_the_event_off_for_ever(
    patients: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    """The 2009 definition: infinite time, never censored."""
    time, event, risk = patients
    never = np.where(event == 2, 1e6, time)
    found = competing_concordance(time, event, risk, pairs="harrell")
    assert found.value == concordance(never, event == 1, risk).value
    assert found.value != concordance(time, event == 1, risk).value


def test_without_a_competing_event_it_is_unos(
    patients: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    time, event, risk = patients
    ours = competing_concordance(time, np.where(event == 2, 0, event), risk, horizon=15.0)
    uno = concordance(time, event == 1, risk, pairs="uno", horizon=15.0, known_weights=False)
    assert ours.value == pytest.approx(uno.value, rel=1e-12)
    assert ours.standard_error() == pytest.approx(uno.standard_error(), rel=1e-12)


@pytest.mark.parametrize("causes", [1, 2])
def test_influence_is_the_change_of_c_when_a_patient_counts_more(
    patients: tuple[np.ndarray, np.ndarray, np.ndarray], causes: int
) -> None:
    time, event, risk = patients
    event = np.minimum(event, 1) if causes == 1 else event
    found = competing_concordance(time, event, risk, horizon=12.0)
    assert found.influence is not None
    assert found.influence.sum() == pytest.approx(0, abs=1e-9)
    for row in range(0, len(time), 6):
        bump = HAIR * (np.arange(len(time)) == row)
        ends = [
            literal(*patients[:1], event, risk, until=12.0, counts=1 + sign * bump)
            for sign in (1, -1)
        ]
        assert found.influence[row] == pytest.approx((ends[0] - ends[1]) / (2 * HAIR), abs=1e-7)


def test_delayed_entry_gives_the_c_of_the_population() -> None:
    generator = np.random.default_rng(1)
    count = 6_000
    risk = generator.normal(size=count)
    causes = generator.exponential(1 / (np.exp([1.0, 0.3] * risk[:, None]) * 0.05))
    time, event = causes.min(axis=1), causes.argmin(axis=1) + 1
    entry = np.where(generator.random(count) < 0.4, -1.0, generator.uniform(0, 10, count))
    late = entry < time
    whole = competing_concordance(time, event, risk, horizon=12.0).value
    parts = (time[late], event[late], risk[late])
    seen = competing_concordance(*parts, entry=entry[late], horizon=12.0)
    assert seen.value == pytest.approx(whole, abs=3 * seen.standard_error())
    assert abs(competing_concordance(*parts, horizon=12.0).value - whole) > 0.006


def test_no_pair_is_undefined() -> None:
    with pytest.raises(UndefinedMetricError, match="outlived"):
        competing_concordance(np.array([1.0, 2.0]), np.array([0, 0]), np.array([0.1, 0.2]))
