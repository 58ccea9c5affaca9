from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import bootstrap

from sequela.errors import UndefinedMetricError
from sequela.evaluation.bca import bca_limits
from sequela.evaluation.evaluate import evaluate
from sequela.evaluation.predictions import Predictions
from sequela.evaluation.rows import Rows
from sequela.evaluation.settings import EvaluationSettings
from sequela.evaluation.uncertainty import Draw, Resampler, Resampling, measured


def mean_risk(rows: Rows, draw: Draw) -> np.ndarray:
    return rows.risk @ draw.counts / draw.counts.sum(axis=0)


def without_each(values: np.ndarray) -> np.ndarray:
    return (values.sum() - values) / (len(values) - 1)


def test_limits_of_a_skew_mean_are_scipys() -> None:
    values = np.random.default_rng(0).exponential(size=35)
    draws = values[np.random.default_rng(1).integers(35, size=(40_000, 35))].mean(axis=1)
    low, high = bca_limits(float(values.mean()), draws, without_each(values), 0.9)
    theirs = bootstrap(
        (values,), np.mean, n_resamples=40_000, confidence_level=0.9, method="BCa", rng=2
    ).confidence_interval
    assert low == pytest.approx(theirs.low, abs=0.006)
    assert high == pytest.approx(theirs.high, abs=0.006)
    plain = np.quantile(draws, [0.05, 0.95])
    assert low > plain[0] + 0.006
    assert high > plain[1] + 0.012


def test_symmetric_unbiased_draws_keep_their_percentiles() -> None:
    draws = np.linspace(-1, 1, 2001)
    limits = bca_limits(0.0, draws, np.array([-1.0, 1.0, 0.0]), 0.95)
    np.testing.assert_allclose(limits, np.quantile(draws, [0.025, 0.975]), atol=1e-9)


def test_rows_of_one_patient_are_left_out_together(rows_of: Callable[..., Rows]) -> None:
    values = np.random.default_rng(3).exponential(size=25)
    patient = np.repeat(np.arange(25), 4)
    rows = rows_of(np.ones(100), np.ones(100, dtype=int), values[patient], patient=patient)
    found = measured(rows, mean_risk, Resampler(Resampling(500, 7, 0.95, "bca")))
    limits = bca_limits(float(values.mean()), found.draws, without_each(values), 0.95)
    np.testing.assert_allclose((found.estimate.low, found.estimate.high), limits, rtol=1e-9)
    assert found.estimate.method == "patient bootstrap, BCa"


def test_without_a_bias_there_is_no_interval() -> None:
    with pytest.raises(UndefinedMetricError, match="outside"):
        bca_limits(2.0, np.linspace(0, 1, 50), np.ones(5), 0.95)
    with pytest.raises(UndefinedMetricError, match="without some patient"):
        bca_limits(0.5, np.linspace(0, 1, 50), np.array([0.1, np.nan]), 0.95)


def test_an_evaluation_can_be_asked_for_bca(predicted: Callable[..., Predictions]) -> None:
    plain, corrected = (
        evaluate(
            [predicted(horizon=1095.0)],
            EvaluationSettings(bootstraps=200, curve_bootstraps=0, interval=interval),
        ).as_json()["models"][0]["metrics"]  # type: ignore[index]
        for interval in ("percentile", "bca")
    )
    for name in ("auc", "harrell_c", "sensitivity", "brier", "observed_expected"):
        assert corrected[name]["method"] == "patient bootstrap, BCa"
        assert corrected[name]["value"] == plain[name]["value"]
        assert corrected[name]["low"] != plain[name]["low"]
        width = plain[name]["high"] - plain[name]["low"]
        assert corrected[name]["low"] == pytest.approx(plain[name]["low"], abs=0.6 * width)
