from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest

from sequela.cohort.manifest import Covariate
from sequela.errors import DataError
from sequela.modalities.clinical import ClinicalScaler, rows_of

CLINICAL = {
    "age": Covariate(kind="numeric"),
    "menopause": Covariate(kind="binary"),
    "grade": Covariate(kind="ordinal", levels=("1", "2", "3")),
    "subtype": Covariate(kind="categorical", levels=("lumA", "lumB", "tnbc")),
}
TRAIN = pl.DataFrame(
    {
        "patient_id": ["a", "b", "c", "d"],
        "age": [40.0, 50.0, 60.0, None],
        "menopause": [0.0, 1.0, 1.0, 0.0],
        "grade": ["1", "3", None, "2"],
        "subtype": ["lumA", "tnbc", "lumB", "lumA"],
    }
)


def test_training_features_have_mean_zero_and_deviation_one_where_known() -> None:
    values, known = ClinicalScaler.fit(TRAIN, CLINICAL).transform(TRAIN)
    for column, mask in zip(values.T, known.T, strict=True):
        np.testing.assert_allclose(column[mask].mean(), 0, atol=1e-12)
        np.testing.assert_allclose(column[mask].std(), 1)


def test_features_are_named_and_the_first_level_is_the_reference() -> None:
    scaler = ClinicalScaler.fit(TRAIN, CLINICAL)
    assert scaler.features == ("age", "menopause", "grade", "subtype=lumB", "subtype=tnbc")
    values, _ = scaler.transform(TRAIN)
    assert values[0, 3] < 0 < values[2, 3]


def test_what_is_unknown_is_masked_and_stands_at_the_training_mean() -> None:
    values, known = ClinicalScaler.fit(TRAIN, CLINICAL).transform(TRAIN)
    assert (~known).tolist()[3] == [True, False, False, False, False]
    assert values[3, 0] == 0
    assert not np.isnan(values).any()


def test_new_patients_do_not_move_the_scale() -> None:
    scaler = ClinicalScaler.fit(TRAIN, CLINICAL)
    alone = scaler.transform(TRAIN[[1]])[0]
    np.testing.assert_array_equal(alone, scaler.transform(TRAIN)[0][[1]])


def test_the_state_survives_json() -> None:
    scaler = ClinicalScaler.fit(TRAIN, CLINICAL)
    assert ClinicalScaler.from_state(json.loads(json.dumps(scaler.state()))) == scaler


def test_a_missing_column_is_named() -> None:
    with pytest.raises(DataError) as refusal:
        ClinicalScaler.fit(TRAIN, CLINICAL).transform(TRAIN.drop("grade"))
    assert refusal.value.items == ("grade",)


def test_rows_come_in_the_order_of_the_patients_asked_for() -> None:
    assert rows_of(TRAIN, ["c", "a", "c"])["age"].to_list() == [60.0, 40.0, 60.0]
    with pytest.raises(DataError, match="1 of 2 patients"):
        rows_of(TRAIN, ["a", "z"])
