from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import polars.selectors as cs
import pytest

from sequela.errors import DataError
from sequela.evaluation.discrimination import auc
from sequela.evaluation.evaluate import evaluate
from sequela.evaluation.metrics import METRICS
from sequela.evaluation.predictions import Predictions
from sequela.evaluation.settings import EvaluationSettings

FEW = EvaluationSettings(bootstraps=40, curve_bootstraps=5)
Make = Callable[..., Predictions]


def content_of(*tables: Predictions, settings: EvaluationSettings = FEW) -> dict[str, Any]:
    return json.loads(json.dumps(evaluate(tables, settings).as_json(), allow_nan=False))


def test_the_better_model_has_the_higher_auc_and_its_interval_holds_it(
    predictions: Predictions,
) -> None:
    content = content_of(predictions)
    good, poor = (model["metrics"]["auc"] for model in content["models"])
    assert good["low"] < good["value"] < good["high"]
    assert good["value"] > poor["value"] > 0.5


@pytest.mark.parametrize(("visits", "horizon"), [(1, None), (1, 1095.0), (3, 1095.0), (3, None)])
def test_every_metric_is_there_with_an_interval(
    predicted: Make, visits: int, horizon: float | None
) -> None:
    content = content_of(predicted(visits=visits, horizon=horizon, patients=160))
    for model in content["models"]:
        assert set(model["metrics"]) == set(METRICS)
        for name, estimate in model["metrics"].items():
            assert estimate["value"] is not None, (name, estimate["reason"])
            assert estimate["low"] <= estimate["high"], name
        assert bool(model["landmarks"]) == (visits > 1)
        counts = model["counts"]
        assert counts["rows"] == counts["events"] + counts["competing"] + counts["censored"]
        table = model["risk_groups"]["horizon_table"]["rows"]
        kinds = ("event", "event_free", "competing", "excluded")
        assert sum(row[kind] for row in table for kind in kinds) == counts["rows"]
    assert content["undefined"] == []
    assert len(content["comparisons"]) == 3


def test_the_plain_auc_of_the_paper_protocol_is_that_of_the_test_rows(
    predictions: Predictions,
) -> None:
    test = predictions.table.filter((pl.col("split") == "test") & (pl.col("variant") == "good"))
    expected = auc(test["risk"].to_numpy(), test["event"].to_numpy() == 1)
    assert content_of(predictions)["models"][0]["metrics"]["auc"]["value"] == expected


def test_row_order_and_labels_of_runs_change_nothing(predictions: Predictions) -> None:
    table = predictions.table.sample(fraction=1.0, shuffle=True, seed=3)
    moved = Predictions(table.with_columns(fold=pl.lit(7)), predictions.provenance)
    first, second = content_of(predictions), content_of(moved)
    by_name = {model["name"]: model["metrics"] for model in second["models"]}
    for model in first["models"]:
        assert model["metrics"] == by_name[model["name"]]


def test_folds_are_judged_apart_and_averaged(predictions: Predictions) -> None:
    table = predictions.table.filter(pl.col("variant") == "good")
    shifted = table.with_columns(
        fold=(pl.int_range(pl.len()) % 2).cast(pl.Int64),
    ).with_columns(risk=pl.col("risk") + 100 * pl.col("fold"))
    (model,) = content_of(Predictions(shifted, predictions.provenance))["models"]
    alone = []
    for fold in (0, 1):
        rows = shifted.filter((pl.col("split") == "test") & (pl.col("fold") == fold))
        alone.append(auc(rows["risk"].to_numpy(), rows["event"].to_numpy() == 1))
    assert model["metrics"]["auc"]["value"] == pytest.approx(np.mean(alone))
    assert model["counts"]["runs"] == len(model["threshold"]["values"]) == 2


def test_without_validation_rows_what_needs_them_is_undefined_and_says_so(
    predictions: Predictions,
) -> None:
    table = predictions.table.filter(pl.col("split") == "test")
    content = content_of(Predictions(table, predictions.provenance))
    model = content["models"][0]
    assert model["metrics"]["auc"]["value"] is not None
    assert model["metrics"]["sensitivity"]["value"] is None
    assert "validation rows" in model["metrics"]["sensitivity"]["reason"]
    assert "validation rows" in model["risk_groups"]["reason"]
    assert {"model": "good", "metric": "npv"}.items() <= content["undefined"][4].items()


def test_one_class_a_constant_risk_and_no_curve_are_undefined_not_zero(
    predictions: Predictions,
) -> None:
    judged = pl.when(pl.col("split") == "test")
    nobody = predictions.table.with_columns(event=judged.then(0).otherwise(pl.col("event")))
    model = content_of(Predictions(nobody, predictions.provenance))["models"][0]
    values = {name: one["value"] for name, one in model["metrics"].items()}
    assert set(values.values()) == {None}
    constant = predictions.table.with_columns(risk=pl.lit(0.5)).select(~cs.starts_with("survival_"))
    model = content_of(Predictions(constant, predictions.provenance))["models"][0]
    assert model["metrics"]["auc"]["value"] == 0.5  # ties are a half: this one is defined
    assert model["metrics"]["accuracy"]["value"] is None
    assert "two risk groups" in model["risk_groups"]["hazard_ratio"]["reason"]
    assert "no survival probabilities" in model["metrics"]["brier"]["reason"]


def test_a_horizon_past_follow_up_is_undefined(predicted: Make) -> None:
    model = content_of(predicted(horizon=99999.0))["models"][0]
    assert "day 99999" in model["metrics"]["auc"]["reason"]
    assert model["decision_curve"]["reason"]
    assert model["risk_groups"]["horizon_table"]["rows"][0]["incidence"]["value"] is None


def test_further_seeds_are_runs_of_one_model_and_the_same_run_twice_is_two_models(
    predictions: Predictions,
) -> None:
    other = Predictions(
        predictions.table.with_columns(seed=pl.lit(2)),
        predictions.provenance.evolve(configuration="another seed"),
    )
    merged = content_of(predictions, other)["models"]
    assert [(one["name"], one["counts"]["runs"]) for one in merged] == [("good", 2), ("poor", 2)]
    again = content_of(predictions, predictions)["models"]
    assert [one["name"] for one in again][2:] == ["good [recurrence]", "poor [recurrence]"]


def test_external_rows_are_judged_with_the_thresholds_of_validation(
    predictions: Predictions,
) -> None:
    external = predictions.table.with_columns(split=pl.col("split").replace("test", "external"))
    model = content_of(Predictions(external, predictions.provenance))["models"][0]
    inside = content_of(predictions)["models"][0]
    assert model["name"] == "good (external)"
    assert model["threshold"] == inside["threshold"]


def test_bad_tables_are_refused_row_by_row(predictions: Predictions) -> None:
    table = predictions.table.with_columns(
        risk=pl.when(pl.int_range(pl.len()) == 4).then(float("nan")).otherwise(pl.col("risk")),
        survival_365=pl.when(pl.int_range(pl.len()) == 6).then(1.5).otherwise("survival_365"),
    )
    with pytest.raises(DataError) as caught:
        evaluate([Predictions(table, predictions.provenance)], FEW)
    assert caught.value.items == (
        "row 5: risk is not a finite number",
        "row 7: survival_365 is not a probability",
    )
    validation = predictions.table.filter(pl.col("split") == "validation")
    with pytest.raises(DataError, match="no row of split test"):
        evaluate([Predictions(validation, predictions.provenance)], FEW)
