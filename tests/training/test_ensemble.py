"""The mean of several seeds is a prediction of each case that all of them predict."""

from __future__ import annotations

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from sequela.errors import UsageError
from sequela.evaluation.predictions import SCHEMA, Predictions, Provenance
from sequela.evaluation.rows import models_of
from sequela.training.ensemble import averaged
from sequela.training.study import _require_distinct
from sequela.training.study_file import StudyEntry


def predicted(seed: int, shift: float, patients: int = 4) -> pl.DataFrame:
    rows = range(patients)
    constants = {"model": "lumin", "variant": "lumin", "endpoint": "recurrence"}
    numbers = {"repeat": 0, "fold": 0, "seed": seed}
    columns = {
        "split": ["test"] * patients,
        "patient_id": [f"p{row}" for row in rows],
        "landmark": [0.0] * patients,
        "entry": [None] * patients,
        "time": [100.0 + row for row in rows],
        "event": [row % 3 for row in rows],
        "risk": [0.1 * row + shift for row in rows],
        "survival_365": [0.8 - 0.1 * row - shift for row in rows],
        "incidence_2_365": [0.01 + shift / 10] * patients,
    }
    table = pl.DataFrame(columns).with_columns(
        [pl.lit(value).alias(name) for name, value in (constants | numbers).items()]
    )
    casts = [pl.col(name).cast(kind) for name, kind in SCHEMA.items()]
    return table.select(*casts, "survival_365", "incidence_2_365")


def test_the_mean_of_two_seeds_stands_between_them() -> None:
    mean = averaged([predicted(3, 0.0), predicted(5, 0.1)], "both")
    expected = predicted(3, 0.05).with_columns(pl.lit("both").alias("variant"))
    assert_frame_equal(mean, expected)
    (model,) = models_of([Predictions(mean, Provenance(protocol="landmark", horizon=365.0))])
    assert model.name == "both" and len(model.test) == 4 and list(model.test.incidence) == [2]


def test_a_case_that_a_seed_lacks_is_left_out_and_order_does_not_matter() -> None:
    tables = [predicted(3, 0.0), predicted(5, 0.1, patients=3)]
    mean = averaged(tables, "both")
    assert mean["patient_id"].to_list() == ["p0", "p1", "p2"]
    assert_frame_equal(averaged(tables[::-1], "both"), mean)


def test_a_day_that_a_seed_does_not_tell_stays_untold() -> None:
    longer = predicted(5, 0.1).with_columns(pl.lit(0.5).alias("survival_730"))
    gap = pl.when(pl.col("patient_id") == "p1").then(None).otherwise(pl.col("survival_365"))
    partial = predicted(3, 0.0).with_columns(gap.alias("survival_365"))
    mean = averaged([partial, longer], "both")
    assert mean["survival_730"].null_count() == len(mean) == 4
    assert mean.filter(pl.col("survival_365").is_null())["patient_id"].to_list() == ["p1"]


def test_an_ensemble_may_not_bear_another_entrys_name() -> None:
    entries = (
        StudyEntry(variant="lumin", ensemble=True),
        StudyEntry(variant="lumin", name="lumin-ensemble"),
    )
    with pytest.raises(UsageError, match="more than once"):
        _require_distinct(entries)
