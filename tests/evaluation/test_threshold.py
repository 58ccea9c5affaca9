from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars.selectors as cs
import pytest

from sequela.errors import UndefinedMetricError
from sequela.evaluation.outcome import Question
from sequela.evaluation.predictions import Predictions
from sequela.evaluation.rows import models_of
from sequela.evaluation.threshold import chosen_thresholds, confusion, youden

EVER = Question(1, None)


def test_no_other_threshold_has_a_higher_index() -> None:
    generator = np.random.default_rng(0)
    risk = np.round(generator.normal(size=60), 1)
    case = (generator.random(60) < 0.4).astype(float)

    def index(threshold: float) -> float:
        positive = risk >= threshold
        sensitivity = case[positive].sum() / case.sum()
        return sensitivity + (1 - case)[~positive].sum() / (1 - case).sum()

    chosen = youden(risk, case, 1 - case)
    assert index(chosen) == pytest.approx(max(index(one) for one in np.linspace(-4, 4, 900)))


def test_risks_that_are_all_equal_have_no_threshold() -> None:
    with pytest.raises(UndefinedMetricError, match="all equal"):
        youden(np.ones(3), np.array([1.0, 0.0, 0.0]), np.array([0.0, 1.0, 1.0]))


@pytest.mark.parametrize("event", [0.0, 1.0])
def test_rows_of_one_kind_have_no_threshold(event: float) -> None:
    case = np.full(3, event)
    with pytest.raises(UndefinedMetricError, match="with and without"):
        youden(np.arange(3.0), case, 1 - case)


def test_test_patients_do_not_move_the_threshold(predicted: Callable[..., Predictions]) -> None:
    one = predicted(variants={"m": 0.5})
    table = one.table.select(~cs.starts_with("survival_"))
    flipped = table.with_columns(
        risk=table["risk"] * (1 - 2 * (table["split"] == "test").cast(int)),
    )
    thresholds = [
        chosen_thresholds(models_of([Predictions(each, one.provenance)])[0], EVER).values
        for each in (table, flipped)
    ]
    assert thresholds[0] == thresholds[1]


def test_every_row_stands_in_one_cell(predicted: Callable[..., Predictions]) -> None:
    (model,) = models_of([predicted(variants={"m": 0.5}, horizon=1095.0)])
    question = Question(1, 1095.0)
    cells = confusion(model.test, question, chosen_thresholds(model, question))
    assert sum(cells.values()) == len(model.test)
    censored = (model.test.event == 0) & (model.test.time <= 1095)
    assert cells["unknown"] == censored.sum() > 0
