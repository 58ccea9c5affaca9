from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import polars.selectors as cs
import pytest
from scipy import stats

from sequela.evaluation import discrimination
from sequela.evaluation.evaluate import compare, evaluate
from sequela.evaluation.predictions import Predictions
from sequela.evaluation.settings import EvaluationSettings

FEW = EvaluationSettings(bootstraps=20, curve_bootstraps=0)
Make = Callable[..., Predictions]
PATIENTS, FOLDS, REPEATS, SEEDS = 120, 4, 3, 2


def cross_validated(one: Predictions, *, seeds: int = SEEDS) -> Predictions:
    """The test patients dealt into folds, three times over; every seed moves the risks a little."""
    generator = np.random.default_rng(11)
    table = one.table.with_columns(split=pl.lit("test"))
    names = table["patient_id"].unique(maintain_order=True)
    parts = []
    for repeat in range(REPEATS):
        fold_of = dict(zip(names, generator.permutation(len(names)) % FOLDS, strict=True))
        fold = pl.col("patient_id").replace_strict(fold_of, return_dtype=pl.Int64)
        for seed in range(seeds):
            noise = pl.Series(generator.normal(scale=0.5, size=len(table)))
            parts.append(
                table.with_columns(
                    repeat=pl.lit(repeat, pl.Int64),
                    seed=pl.lit(seed, pl.Int64),
                    fold=fold,
                    risk=pl.col("risk") + noise,
                )
            )
    return Predictions(pl.concat(parts), one.provenance)


@pytest.fixture(scope="module")
def content(predicted: Make) -> dict[str, Any]:
    return evaluate([cross_validated(predicted(patients=PATIENTS))], FEW).as_json()


def values_by_fold(predictions: Predictions, variant: str) -> np.ndarray:
    """The AUC of every repeat, fold and seed, straight from the table."""
    found = np.zeros((REPEATS, FOLDS, SEEDS))
    for (name, *place), part in predictions.table.group_by(["variant", "repeat", "fold", "seed"]):
        if name == variant:
            event = part["event"].to_numpy() == 1
            found[tuple(place)] = discrimination.auc(part["risk"].to_numpy(), event)
    return found


def test_folds_are_compared_by_the_corrected_t(content: dict[str, Any], predicted: Make) -> None:
    predictions = cross_validated(predicted(patients=PATIENTS))
    by_fold = (values_by_fold(predictions, "good") - values_by_fold(predictions, "poor")).mean(-1)
    folds = REPEATS * FOLDS
    ratio = (PATIENTS / FOLDS) / (PATIENTS - PATIENTS / FOLDS)
    spread = by_fold.std(ddof=1) * np.sqrt(1 / folds + ratio)
    found = content["comparisons"][0]["differences"][0]["over_runs"]
    assert found["value"] == pytest.approx(by_fold.mean(), rel=1e-12)
    width = stats.t.ppf(0.975, folds - 1) * spread
    assert found["high"] - found["value"] == pytest.approx(width, rel=1e-9)
    p = 2 * stats.t.sf(by_fold.mean() / spread, folds - 1)
    assert found["p"] == pytest.approx(p, rel=1e-6, abs=1e-13)
    assert found["method"] == "corrected t over 12 folds (Nadeau & Bengio)"


def test_seeds_and_folds_spread_apart(content: dict[str, Any], predicted: Make) -> None:
    by_run = values_by_fold(cross_validated(predicted(patients=PATIENTS)), "good")
    spread = content["models"][0]["spread"]["auc"]
    assert spread["runs"] == REPEATS * FOLDS * SEEDS
    seeds = np.sqrt(by_run.var(axis=-1, ddof=1).mean())
    assert spread["over_seeds"] == pytest.approx(seeds, rel=1e-12)
    assert spread["over_folds"] == pytest.approx(by_run.mean(-1).std(ddof=1), rel=1e-12)
    assert spread["smallest"] == by_run.min()
    assert spread["largest"] == by_run.max()
    assert "calibration_slope" not in content["models"][0]["spread"]


def test_one_run_has_no_spread_and_no_test_over_runs(predicted: Make) -> None:
    plain = evaluate([predicted()], FEW).as_json()
    assert plain["models"][0]["spread"] == {}  # type: ignore[index]
    over_runs = compare([predicted()], FEW)["differences"][0]["over_runs"]  # type: ignore[index]
    assert over_runs["value"] is None
    assert "two folds" in over_runs["reason"]


def test_runs_judged_on_the_same_patients_do_not_tell_who_trained(predicted: Make) -> None:
    one = predicted()
    one = Predictions(one.table.select(~cs.starts_with("survival_")), one.provenance)
    negative = pl.col("risk") * -1
    again = one.table.with_columns(fold=pl.col("fold") + 1, risk=negative)
    both = Predictions(pl.concat([one.table, again]), one.provenance)
    over_runs = compare([both], FEW)["differences"][0]["over_runs"]  # type: ignore[index]
    assert "do not part the patients" in over_runs["reason"]


def test_folds_are_not_ranked_together_by_delong(predicted: Make) -> None:
    found = compare([cross_validated(predicted(), seeds=1)], FEW)
    assert found["method"] == "patient bootstrap, paired; Holm"


@pytest.mark.parametrize("metric", ["harrell_c", "uno_c"])
def test_many_rows_are_compared_by_influence_as_few_are_by_resampling(
    predicted: Make, monkeypatch: pytest.MonkeyPatch, metric: str
) -> None:
    more = EvaluationSettings(bootstraps=600, curve_bootstraps=0)
    resampled = compare([predicted(patients=400)], more, metric=metric)["differences"][0]  # type: ignore[index]
    monkeypatch.setattr(discrimination, "_LARGEST_KERNEL", 10)
    found = compare([predicted(patients=400)], more, metric=metric)
    ours = found["differences"][0]["difference"]  # type: ignore[index]
    assert found["method"] == "infinitesimal jackknife, paired; Holm"
    assert ours["value"] == pytest.approx(resampled["difference"]["value"], rel=1e-12)
    for limit in ("low", "high"):
        assert ours[limit] == pytest.approx(resampled["difference"][limit], abs=0.012)
