from __future__ import annotations

import numpy as np
import pytest
from sksurv.metrics import brier_score
from sksurv.util import Surv

from sequela.errors import UndefinedMetricError
from sequela.evaluation import brier
from sequela.evaluation.brier import brier_scores
from sequela.survival.censoring import censoring_weights

TIMES = np.array([3.0, 7.0, 7.5, 12.0, 20.0])


@pytest.fixture
def predicted() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(8)
    time = np.ceil(generator.exponential(12, 300))
    event = generator.choice(3, size=300, p=[0.4, 0.4, 0.2])
    survival = np.sort(generator.random((300, 5)), axis=1)[:, ::-1]
    return time, event, survival, np.floor(time * generator.uniform(-1, 0.8, 300)).clip(0)


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("chunk", [7, 300])
def test_it_is_the_mean_of_weighed_squares(
    predicted: tuple[np.ndarray, ...], late: bool, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(brier, "_CHUNK", chunk)
    time, event, survival, begun = predicted
    entry = np.where(begun > 4, begun, 0.0) if late else None
    found = brier_scores(time, event, survival, TIMES, entry=entry)
    for column, day in enumerate(TIMES.tolist()):
        ones = np.ones((300, 1))
        weights = censoring_weights(time, event > 0, day, weight=ones, entry=entry)[:, 0]
        right = np.where((event == 1) & (time <= day), 0.0, 1.0)
        expected = (weights * (right - survival[:, column]) ** 2).sum() / 300
        assert found[column] == pytest.approx(expected, rel=1e-12)
    columns = np.asfortranarray(survival)
    np.testing.assert_allclose(brier_scores(time, event, columns, TIMES, entry=entry), found)


def test_scikit_survival_agrees_where_no_times_are_tied(
    predicted: tuple[np.ndarray, ...],
) -> None:
    time, event, survival, _ = predicted
    apart, happened = time + np.linspace(0, 0.9, len(time)), event > 0
    outcome = Surv.from_arrays(happened, apart)
    theirs = brier_score(outcome, outcome, survival, TIMES)[1]
    ours = brier_scores(apart, happened.astype(np.int64), survival, TIMES)
    np.testing.assert_allclose(ours, theirs, rtol=1e-10)


def test_a_time_that_nobody_reaches_is_refused_with_the_last_that_is(
    predicted: tuple[np.ndarray, ...],
) -> None:
    time, event, survival, _ = predicted
    with pytest.raises(UndefinedMetricError, match="free of the event at day 500") as refused:
        brier_scores(time, event, survival, np.array([3.0, 7.0, 7.5, 12.0, 500.0]))
    assert f"{time.max():g}" in (refused.value.hint or "")
