"""Other causes' incidence: judged as that cause would be alone, and refused if impossible."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest

from sequela.errors import DataError
from sequela.evaluation.evaluate import evaluate
from sequela.evaluation.predictions import Predictions
from sequela.evaluation.rows import models_of
from sequela.evaluation.settings import EvaluationSettings

SETTINGS = EvaluationSettings(bootstraps=20, curve_bootstraps=2)
DAYS = (365, 730, 1095, 1461, 1826)


def with_deaths(predictions: Predictions, rate: float = 1 / 6000) -> Predictions:
    """Beside the event's incidence that of death, whose hazard the model takes for slightly uneven.

    Hazards are constant, so each incidence is its share of 1 - exp(-hazard of either).
    """
    generator = np.random.default_rng(1)
    table = predictions.table
    own = -np.log(table["survival_365"].to_numpy()) / 365
    death = rate * np.exp(0.3 * generator.normal(size=len(table)))
    struck = {day: -np.expm1(-(own + death) * day) / (own + death) for day in DAYS}
    columns = {f"survival_{day}": 1 - own * share for day, share in struck.items()}
    columns |= {f"incidence_2_{day}": death * share for day, share in struck.items()}
    return replace(predictions, table=table.with_columns(**columns))


def test_another_cause_is_judged_as_if_it_were_the_one_that_is_predicted(
    predicted: Callable[..., Predictions],
) -> None:
    found = with_deaths(predicted(variants={"good": 0.3}, patients=200, horizon=1826.0))
    (entry,) = told(found)
    (other,) = entry["other_causes"]
    assert other["cause"] == 2
    turned = found.table.drop([f"incidence_2_{day}" for day in DAYS]).with_columns(
        pl.col("event").replace({1: 2, 2: 1}),
        pl.lit(found.table["incidence_2_1826"]).alias("risk"),
        *(pl.lit(1 - found.table[f"incidence_2_{day}"]).alias(f"survival_{day}") for day in DAYS),
    )
    (alone,) = told(replace(found, table=turned))
    for name, estimate in other["metrics"].items():
        assert estimate["value"] is not None
        assert estimate["value"] == pytest.approx(alone["metrics"][name]["value"])
    assert 0.5 < other["metrics"]["observed_expected"]["value"] < 2


def test_a_model_that_tells_no_other_cause_has_none_beside_one_that_does(
    predicted: Callable[..., Predictions],
) -> None:
    some, none = (predicted(variants={name: 0.3}) for name in ("some", "none"))
    joined = pl.concat([with_deaths(some).table, none.table], how="diagonal")
    one, other = models_of([replace(some, table=joined)])
    assert list(one.test.incidence) == [2] and one.test.incidence[2].shape[1] == len(DAYS)
    assert not other.test.incidence
    half = one.test.take(np.arange(5))
    np.testing.assert_array_equal(half.incidence[2], one.test.incidence[2][:5])


@pytest.mark.parametrize(
    ("day", "value", "fault"), [(730, 0.0, "is less than"), (1826, 1.0, "more than survival_1826")]
)
def test_incidences_that_cannot_be_are_refused_by_row(
    predicted: Callable[..., Predictions], day: int, value: float, fault: str
) -> None:
    found = with_deaths(predicted())
    first = pl.int_range(pl.len()) == 3
    name = f"incidence_2_{day}"
    wrong = found.table.with_columns(pl.when(first).then(value).otherwise(name).alias(name))
    with pytest.raises(DataError) as refused:
        models_of([replace(found, table=wrong)])
    assert any(item.startswith("row 4: ") and fault in item for item in refused.value.items)


def test_a_column_that_names_no_cause_is_refused(predicted: Callable[..., Predictions]) -> None:
    found = predicted()
    strange = found.table.with_columns(incidence_death_365=pl.lit(0.1))
    with pytest.raises(DataError, match="incidence_death_365"):
        models_of([replace(found, table=strange)])


def told(found: Predictions) -> list[dict[str, Any]]:
    """The models' entries of the evaluation."""
    content: dict[str, Any] = evaluate([found], SETTINGS).as_json()
    entries: list[dict[str, Any]] = content["models"]
    return entries
