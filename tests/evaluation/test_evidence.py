from __future__ import annotations

from collections.abc import Callable

import polars as pl
import pytest

from sequela.evaluation.evidence import evidence_of
from sequela.evaluation.predictions import Predictions
from sequela.evaluation.rows import models_of
from sequela.evaluation.settings import Stated

Make = Callable[..., Predictions]


def grade(predictions: Predictions, stated: Stated | None = None) -> object:
    return evidence_of(models_of([predictions])[0], stated)["grade"]


def in_folds(one: Predictions, *, overlapping: bool) -> Predictions:
    test = one.table.filter(pl.col("split") == "test")
    half = pl.col("patient_id").str.slice(-1).cast(pl.Int64) % 2
    parts = [
        test.filter(half == fold if not overlapping else half >= 0).with_columns(
            fold=pl.lit(fold, pl.Int64)
        )
        for fold in (0, 1)
    ]
    return Predictions(pl.concat(parts), one.provenance)


def test_what_the_predictions_do_not_say_is_unknown_until_stated(predicted: Make) -> None:
    assert grade(predicted()) == "unknown"
    assert grade(predicted(), "temporally held out") == "temporally held out"


def test_a_split_file_holds_out(predicted: Make) -> None:
    one = predicted()
    drawn = Predictions(one.table, one.provenance.evolve(splits="sha256:1"))
    assert grade(drawn) == "held out"
    assert grade(drawn, "temporally held out") == "temporally held out"


def test_folds_are_cross_validation_only_where_they_part_the_patients(predicted: Make) -> None:
    assert grade(in_folds(predicted(), overlapping=False)) == "cross-validated"
    assert grade(in_folds(predicted(), overlapping=True)) == "unknown"


@pytest.mark.parametrize("stated", [None, "external", "temporally held out"])
def test_no_statement_lifts_an_epoch_chosen_on_test(predicted: Make, stated: Stated) -> None:
    assert grade(predicted(epoch_chosen_on="test"), stated) == "apparent"


def test_another_cohort_is_external(predicted: Make) -> None:
    one = predicted()
    moved = one.table.with_columns(split=pl.lit("external"))
    assert grade(Predictions(moved, one.provenance)) == "external"
