"""Predictions that cannot be judged are refused by row, by the command as by the function."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from spoken import speak

from sequela.errors import DataError
from sequela.evaluation.evaluate import evaluate
from sequela.evaluation.foreign import read_predictions
from sequela.evaluation.settings import EvaluationSettings

Spoil = Callable[[pl.DataFrame], pl.DataFrame]
DAYS = (365, 730)


def sound() -> pl.DataFrame:
    generator = np.random.default_rng(0)
    risk = generator.normal(size=60)
    return pl.DataFrame(
        {
            "patient_id": [f"p{number}" for number in range(60)],
            "time": np.ceil(generator.exponential(900 * np.exp(-risk))) + 1,
            "event": generator.integers(2, size=60),
            "risk": risk,
            **{f"survival_{day}": np.exp(-np.exp(risk) * day / 900) for day in DAYS},
        }
    )


def put(column: str, value: object) -> Spoil:
    def spoil(table: pl.DataFrame) -> pl.DataFrame:
        third = pl.int_range(pl.len()) == 2
        return table.with_columns(
            pl.when(third).then(pl.lit(value)).otherwise(column).alias(column)
        )

    return spoil


REFUSED: dict[str, tuple[Spoil, str]] = {
    "negative time": (put("time", -4.0), "row 3: time is not a number of days >= 0"),
    "NaN risk": (put("risk", float("nan")), "row 3: risk is not a finite number"),
    "all censored": (
        lambda table: table.with_columns(event=pl.lit(0)),
        "all 60 rows are censored",
    ),
    "a curve that increases": (
        put("survival_730", 0.9999),
        "row 3: survival_730 is larger than survival_365",
    ),
    "a curve outside of 0 and 1": (
        put("survival_730", -0.2),
        "row 3: survival_730 is not a probability",
    ),
    "risk and survival that disagree": (
        lambda table: table.with_columns(risk=-pl.col("risk")),
        "higher risk must mean lower survival",
    ),
    "several rows a patient": (
        lambda table: pl.concat([table, table.head(1)]),
        "row 61: patient and landmark stand twice",
    ),
}


@pytest.mark.parametrize("trouble", REFUSED)
def test_it_is_refused_and_the_row_named(trouble: str, tmp_path: Path) -> None:
    spoil, said = REFUSED[trouble]
    path = tmp_path / "colleague.csv"
    spoil(sound()).write_csv(path)
    spoken = speak("evaluate", path, "evaluation.bootstraps=0")
    assert spoken.code == 3
    assert said in " ".join(spoken.err.split())
    assert not (tmp_path / "evaluation.json").exists()
    with pytest.raises(DataError) as refused:
        read_predictions(path)
    assert said in " ".join((refused.value.message, *refused.value.items))


def test_a_sound_table_is_not_refused(tmp_path: Path) -> None:
    path = tmp_path / "colleague.csv"
    sound().write_csv(path)
    assert speak("evaluate", path, "evaluation.bootstraps=0").code == 0


def metrics(path: Path, **settings: object) -> dict[str, dict[str, object]]:
    asked = EvaluationSettings.model_validate({"bootstraps": 0, **settings})
    models: list[dict[str, dict[str, dict[str, object]]]]
    models = evaluate([read_predictions(path)], asked).as_json()["models"]  # type: ignore[assignment]
    return models[0]["metrics"]


def test_without_a_comparable_pair_c_is_undefined_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "colleague.csv"
    table = sound().with_columns(
        time=pl.when(event=1).then(2000.0).otherwise(pl.int_range(pl.len()) + 1.0)
    )
    table.write_csv(path)
    found = metrics(path)["harrell_c"]
    assert found["value"] is None
    assert "needs patients who outlived an event" in str(found["reason"])
    spoken = speak("evaluate", path, "evaluation.bootstraps=0")
    assert "needs patients who outlived an event" in " ".join(spoken.all.split())


def test_a_horizon_beyond_follow_up_is_undefined_and_names_the_largest_valid(
    tmp_path: Path,
) -> None:
    path = tmp_path / "colleague.csv"
    table = sound().with_columns(time=pl.col("time").clip(upper_bound=700.0))
    table = table.with_columns(event=pl.when(time=700.0).then(0).otherwise("event"))
    table.write_csv(path)
    found = metrics(path, horizon=730.0)["auc"]
    assert found["value"] is None
    assert "the largest valid horizon is day 700" in str(found["reason"])
    assert metrics(path, horizon=700.0)["auc"]["value"] is not None
    spoken = speak("evaluate", path, "evaluation.bootstraps=0", "evaluation.horizon=730")
    assert "largest valid horizon is day 700" in " ".join(spoken.all.split())
