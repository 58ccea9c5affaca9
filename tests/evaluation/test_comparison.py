from __future__ import annotations

from collections.abc import Callable

import polars as pl
import pytest

from sequela.errors import DataError, UsageError
from sequela.evaluation.evaluate import compare, evaluate
from sequela.evaluation.predictions import Predictions
from sequela.evaluation.settings import EvaluationSettings

FEW = EvaluationSettings(bootstraps=60, curve_bootstraps=0)
Make = Callable[..., Predictions]


def split_by_variant(one: Predictions) -> list[Predictions]:
    tables = one.table.partition_by("variant", maintain_order=True)
    return [Predictions(table, one.provenance) for table in tables]


def test_one_row_a_patient_is_compared_by_delong_and_several_by_bootstrap(predicted: Make) -> None:
    single = compare([predicted()], FEW)
    assert single["method"] == "DeLong, paired; Holm"
    several = compare([predicted(visits=2)], FEW)
    assert several["method"] == "patient bootstrap, paired; Holm"
    for found in (single, several):
        (difference,) = found["differences"]
        assert difference["difference"]["value"] > 0
        assert difference["p_holm"] == difference["difference"]["p"] < 0.05


def test_swapping_two_models_turns_the_difference_around(predicted: Make) -> None:
    good, poor = split_by_variant(predicted(visits=2, horizon=1095.0))
    there, back = (
        compare(order, FEW)["differences"][0]["difference"]
        for order in ([good, poor], [poor, good])
    )
    assert there["value"] == pytest.approx(-back["value"])
    assert there["low"] == pytest.approx(-back["high"])
    assert there["p"] == pytest.approx(back["p"])


def test_a_model_selected_on_test_is_marked_and_refused(predicted: Make) -> None:
    honest, other = split_by_variant(predicted())
    chosen = other.provenance.evolve(epoch_chosen_on="test")
    optimistic = Predictions(other.table, chosen)
    with pytest.raises(DataError) as caught:
        compare([honest, optimistic], FEW)
    assert caught.value.items == ("poor: selected on test (optimistic)",)
    content = evaluate([optimistic, honest], FEW).as_json()
    assert content["models"][0]["warnings"] == ["selected on test (optimistic)"]
    for comparison in content["comparisons"]:
        assert comparison["models"] == ["good"]
        assert comparison["differences"] == []
        assert comparison["refused"] == [
            {"name": "poor", "reason": "selected on test (optimistic)"}
        ]


def test_models_on_other_rows_are_refused_with_the_number_of_rows(predicted: Make) -> None:
    good, poor = split_by_variant(predicted())
    fewer = Predictions(poor.table.filter(pl.col("patient_id") != "p0099"), poor.provenance)
    with pytest.raises(DataError) as caught:
        compare([good, fewer], FEW)
    assert caught.value.items == ("poor: 1 row(s) differ from those of good",)
    later = Predictions(poor.table.with_columns(time=pl.col("time") + 1), poor.provenance)
    with pytest.raises(DataError) as caught:
        compare([good, later], FEW)
    assert caught.value.items == ("poor: 180 row(s) differ from those of good",)


def test_one_model_or_an_unknown_metric_is_refused(predicted: Make) -> None:
    with pytest.raises(DataError, match="found 1 model"):
        compare([predicted(variants={"m": 0.1})], FEW)
    with pytest.raises(UsageError, match="auc or harrell_c"):
        compare([predicted()], FEW, metric="brier")


def test_models_that_rank_alike_have_no_test(predicted: Make) -> None:
    good, poor = split_by_variant(predicted(visits=2))
    twin = Predictions(
        good.table.with_columns(variant=pl.lit("twin"), risk=pl.col("risk") * 2 + 1),
        good.provenance,
    )
    found = compare([good, twin, poor], FEW)
    reasons = {(one["first"], one["second"]): one["reason"] for one in found["differences"]}
    assert "rank the patients alike" in reasons["good", "twin"]
    assert reasons["good", "poor"] == ""


@pytest.mark.parametrize("visits", [1, 2])
def test_a_planned_reference_is_corrected_for_its_own_comparisons_alone(
    predicted: Make, visits: int
) -> None:
    made = predicted(visits=visits)
    third = made.table.filter(variant="poor").with_columns(
        variant=pl.lit("third"), risk=pl.col("risk").shuffle(seed=1)
    )
    three = Predictions(pl.concat([made.table, third]), made.provenance)
    every = compare([three], FEW)["differences"]
    planned = compare([three], FEW.evolve(reference="good"))["differences"]
    names = [{pair["first"], pair["second"]} for pair in planned]
    assert names == [{"good", "poor"}, {"good", "third"}]
    assert len(every) == 3
    alone = {frozenset((pair["first"], pair["second"])): pair for pair in every}
    for pair in planned:
        of_all = alone[frozenset((pair["first"], pair["second"]))]
        assert pair["difference"] == of_all["difference"]
        assert pair["p_holm"] <= of_all["p_holm"]
    absent = compare([three], FEW.evolve(reference="nobody"))["differences"]
    assert absent == every
