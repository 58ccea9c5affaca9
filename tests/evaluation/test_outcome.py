from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from sequela.evaluation.outcome import Question, landmark_strata
from sequela.evaluation.rows import Rows
from sequela.survival.censoring import censoring_weights


def visits(rows_of: Callable[..., Rows], counts: tuple[int, ...]) -> Rows:
    number = np.repeat(np.arange(len(counts)), counts)
    generator = np.random.default_rng(0)
    time = np.ceil(generator.exponential(20, len(number)))
    event = generator.choice(2, size=len(number))
    return replace(rows_of(time, event, generator.normal(size=len(number))), number=number)


@pytest.mark.parametrize(
    ("counts", "strata"),
    [((40, 35, 31), (40, 35, 31)), ((40, 35, 5, 31), (40, 71)), ((20, 40), (60,)), ((8,), (8,))],
)
def test_small_landmark_numbers_join_the_one_before(
    rows_of: Callable[..., Rows], counts: tuple[int, ...], strata: tuple[int, ...]
) -> None:
    assert tuple(np.bincount(landmark_strata(visits(rows_of, counts)))) == strata


def test_each_landmark_number_has_its_own_censoring(rows_of: Callable[..., Rows]) -> None:
    rows = visits(rows_of, (60, 50))
    weights = Question(1, 15.0).weights(rows, np.ones((110, 1)))
    for number in (0, 1):
        inside = rows.number == number
        alone = censoring_weights(
            rows.time[inside],
            rows.event[inside] > 0,
            15.0,
            weight=np.ones((int(inside.sum()), 1)),
        )
        np.testing.assert_array_equal(weights[inside], alone)


def test_without_a_horizon_every_row_weighs_one_and_is_case_or_control(
    rows_of: Callable[..., Rows],
) -> None:
    rows, question = visits(rows_of, (30, 30)), Question(1, None)
    counts = np.random.default_rng(1).random((60, 3))
    np.testing.assert_array_equal(question.weights(rows, counts), counts)
    assert (question.cases(rows) ^ question.controls(rows)).all()
    assert "any time" in question.in_words()
    assert "competing event" in Question(1, 365.0).in_words()
