from __future__ import annotations

import numpy as np
import pytest

from sequela.errors import UndefinedMetricError
from sequela.survival.concordance import concordance
from sequela.survival.kaplan_meier import kaplan_meier
from sequela.survival.mirai_compat import mirai_compat


def patients(count: int = 90, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    lift = generator.normal(size=count)
    happened = np.floor(generator.exponential(4 * np.exp(-lift))).astype(int)
    left = generator.integers(0, 5, count)
    risk = np.round(
        -np.expm1(-np.exp(lift + generator.normal(size=count))[:, None] * np.arange(1, 6) / 4), 2
    )
    return np.minimum(happened, left), happened <= left, risk


def test_it_is_the_sum_over_pairs_that_the_published_code_walks_through() -> None:
    year, event, risk = patients()
    curve = kaplan_meier(year.astype(float), event)
    won = pairs = 0.0
    for later in range(len(year)):
        weight = 1 / curve.at(np.array([float(year[later])]))[0] ** 2
        for earlier in np.flatnonzero(event):
            after = year[earlier] < year[later]
            if after or (year[earlier] == year[later] and not event[later]):
                one, other = risk[earlier, year[later]], risk[later, year[later]]
                won += weight * ((one > other) + (one == other) / 2)
                pairs += weight
    assert mirai_compat(year, event, risk, curve) == pytest.approx(won / pairs, rel=1e-12)


def test_without_weights_and_with_one_risk_it_is_harrells_c() -> None:
    year, event, risk = patients(seed=1)
    flat = kaplan_meier(np.array([99.0]), np.array([False]))
    constant = np.repeat(risk[:, :1], 5, axis=1)
    theirs = concordance(year.astype(float), event, risk[:, 0]).value
    assert mirai_compat(year, event, constant, flat) == pytest.approx(theirs, rel=1e-12)


def test_it_is_not_unos_c() -> None:
    year, event, risk = patients(600, seed=2)
    constant = np.repeat(risk[:, :1], 5, axis=1)
    curve = kaplan_meier(year.astype(float), event)
    uno = concordance(year.astype(float), event, risk[:, 0], pairs="uno").value
    assert abs(mirai_compat(year, event, constant, curve) - uno) > 0.001


def test_no_pair_or_no_survivor_is_undefined() -> None:
    year, event, risk = patients(20)
    with pytest.raises(UndefinedMetricError, match="outlived"):
        mirai_compat(
            year, np.zeros(20, dtype=bool), risk, kaplan_meier(np.ones(1), np.zeros(1, dtype=bool))
        )
    with pytest.raises(UndefinedMetricError, match="survival"):
        mirai_compat(year, event, risk, kaplan_meier(np.zeros(1), np.ones(1, dtype=bool)))
