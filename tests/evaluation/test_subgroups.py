from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from sequela.errors import DataError
from sequela.evaluation.evaluate import evaluate
from sequela.evaluation.predictions import Predictions
from sequela.evaluation.settings import EvaluationSettings
from sequela.evaluation.subgroups import NOT_KNOWN, Division

FEW = EvaluationSettings(bootstraps=30, curve_bootstraps=0)
PAGE = Path(__file__).parents[2] / "docs" / "evaluation-json.md"
Make = Callable[..., Predictions]


def ages(one: Predictions, *, without: int = 0) -> pl.DataFrame:
    names = one.table["patient_id"].unique(maintain_order=True)
    age = np.random.default_rng(1).integers(30, 80, len(names))
    return pl.DataFrame({"patient_id": names, "age": age}).slice(without)


def groups(one: Predictions, division: Division, settings: EvaluationSettings = FEW) -> list[Any]:
    content = evaluate([one], settings, [division]).as_json()
    return content["models"][0]["subgroups"][0]["groups"]  # type: ignore[index]


def test_a_subgroup_has_the_numbers_of_its_patients_alone(predicted: Make) -> None:
    one = predicted(patients=240, horizon=1095.0, variants={"m": 0.3})
    site = pl.DataFrame({"patient_id": one.table["patient_id"].unique(maintain_order=True)})
    site = site.with_columns(
        site=pl.when(pl.int_range(pl.len()) % 3 == 0).then(pl.lit("a")).otherwise(pl.lit("b"))
    )
    found = {group["name"]: group for group in groups(one, Division.of("site", site))}
    assert set(found) == {"a", "b"}
    for name, group in found.items():
        alone = one.table.join(site.filter(pl.col("site") == name), on="patient_id").drop("site")
        whole = evaluate([Predictions(alone, one.provenance)], FEW).as_json()["models"][0]  # type: ignore[index]
        assert group["patients"] == whole["counts"]["patients"]
        for metric, estimate in group["metrics"].items():
            assert estimate == whole["metrics"][metric]
            assert estimate["low"] < estimate["value"] < estimate["high"]


def test_numbers_fall_into_quarters_in_order_and_the_unknown_come_last(predicted: Make) -> None:
    one = predicted(patients=400)
    found = groups(one, Division.of("age", ages(one, without=150)))
    names = [group["name"] for group in found]
    bounds = [float(number) for number in re.findall(r"[\d.]+", " ".join(names))]
    assert bounds == sorted(bounds)
    assert names[0].startswith("under ")
    assert names[3].endswith(" and over")
    assert names[4:] == [NOT_KNOWN]
    assert sum(group["patients"] for group in found) == 300
    assert found[4]["patients"] == 50  # of the first 150, 100 are validation patients


def test_few_numbers_stay_as_they_are(predicted: Make) -> None:
    one = predicted()
    names = one.table["patient_id"].unique(maintain_order=True)
    grade = pl.DataFrame({"patient_id": names, "grade": np.arange(len(names)) % 3 + 9})
    assert [group["name"] for group in groups(one, Division.of("grade", grade))] == [
        "9",
        "10",
        "11",
    ]


def test_few_events_keep_their_counts_only(predicted: Make) -> None:
    one = predicted()
    found = groups(
        one,
        Division.of("age", ages(one)),
        EvaluationSettings(bootstraps=5, curve_bootstraps=0, minimum_events=1000),
    )
    for group in found:
        assert group["events"] > 0
        for estimate in group["metrics"].values():
            assert estimate["value"] is None
            assert "fewer than the 1000" in estimate["reason"]


def test_rows_of_one_patient_can_belong_to_different_subgroups(predicted: Make) -> None:
    one = predicted(visits=2)
    vendor = one.table.select(
        "patient_id",
        "landmark",
        vendor=pl.when(pl.col("landmark") > 0).then(pl.lit("new")).otherwise(pl.lit("old")),
    )
    found = groups(one, Division.of("vendor", vendor))
    assert [group["rows"] for group in found] == [90, 90]
    with pytest.raises(DataError, match="two values"):
        Division.of("vendor", vendor.drop("landmark"))


def test_the_page_names_every_field(predicted: Make) -> None:
    one = predicted()
    (group, *_) = groups(one, Division.of("age", ages(one)))
    named = set(re.findall(r"`([a-z_0-9]+)`", PAGE.read_text()))
    assert {*group, *group["metrics"], "subgroups", "column", "groups"} <= named


def test_bands_of_age_are_decades_and_named_ranges_ascend() -> None:
    patients = [f"p{number}" for number in range(60)]
    ages = pl.DataFrame(
        {"patient_id": patients, "age": [float(30 + number) for number in range(60)]}
    )
    division = Division.of("age", ages)
    bands = ("under 50", "50 to under 60", "60 to under 70", "70 and over", "not known")
    assert division.order == bands
    assert division.table.filter(pl.col("patient_id") == "p20")["name"].item() == "50 to under 60"
    in_days = ages.with_columns(pl.col("age") * 365.25)
    assert "under 50" not in Division.of("age", in_days).order
    sizes = pl.DataFrame({"patient_id": patients[:3], "size": [">50", "20-50", "<=20"]})
    assert Division.of("size", sizes).order[:3] == ("<=20", "20-50", ">50")
