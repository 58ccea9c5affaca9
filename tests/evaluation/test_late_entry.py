"""Patients who come under observation late stand for those who never could."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from sequela.evaluation.calibration import Forecast, calibration_measures
from sequela.evaluation.discrimination import auc_measure
from sequela.evaluation.outcome import Question
from sequela.evaluation.rows import Rows
from sequela.evaluation.uncertainty import Draw
from sequela.evaluation.utility import net_benefit

DAY = 8.0


@pytest.fixture(scope="module")
def populations(rows_of: Callable[..., Rows]) -> tuple[Rows, Rows]:
    """Everybody followed to the end, and who of them is seen late and not for ever."""
    generator = np.random.default_rng(1)
    count = 40_000
    risk = generator.normal(size=count)
    rates = np.exp(risk)[:, None] * [0.03, 0.03]
    causes = generator.exponential(1 / rates)
    time, event = causes.min(axis=1), causes.argmin(axis=1) + 1
    entry = np.where(generator.random(count) < 0.3, 0.0, generator.uniform(0, 12, count))
    censor = entry + generator.exponential(15, count)
    forecast = np.exp(-0.5 * (1 - np.exp(-rates.sum(axis=1) * DAY)) * 1.3)[:, None]
    whole = rows_of(time, event, risk, survival=forecast, grid=(DAY,))
    last = replace(
        whole,
        time=np.minimum(time, censor),
        event=np.where(time <= censor, event, 0),
        entry=np.where(entry > 0, entry, -np.inf),
    )
    return whole, last.take(entry < time)


def ask(rows: Rows, name: str) -> float:
    question = Question(1, DAY)
    measures = {**calibration_measures(Forecast(question, 0)), "auc": auc_measure(question)}
    return float(measures[name](rows, Draw(rows, np.ones((len(rows), 1))))[0])


@pytest.mark.parametrize("name", ["auc", "brier", "brier_null", "observed_expected"])
def test_numbers_are_those_of_the_population(populations: tuple[Rows, Rows], name: str) -> None:
    whole, seen = populations
    naive = replace(seen, entry=np.full(len(seen), -np.inf))
    scale = ask(whole, name)
    assert ask(seen, name) == pytest.approx(scale, rel=0.02)
    if name != "auc":
        assert abs(ask(naive, name) / scale - 1) > 0.04


@pytest.mark.parametrize("threshold", [0.1, 0.2, 0.3])
def test_net_benefit_is_that_of_the_population(
    populations: tuple[Rows, Rows], threshold: float
) -> None:
    made = Forecast(Question(1, DAY), 0)
    whole, seen = (net_benefit(made.risk(rows), threshold, rows, made) for rows in populations)
    assert seen == pytest.approx(whole, abs=0.006)
