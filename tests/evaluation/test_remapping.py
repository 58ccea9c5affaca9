from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pytest
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from sequela.errors import UndefinedMetricError
from sequela.evaluation.calibration import Forecast
from sequela.evaluation.outcome import Question
from sequela.evaluation.predictions import Provenance
from sequela.evaluation.remapping import MAPS, RiskMap, fit_map, pooled, recalibrations
from sequela.evaluation.rows import ModelRows, Rows
from sequela.evaluation.settings import EvaluationSettings
from sequela.evaluation.uncertainty import Resampler, Resampling

DAY = 365.0
MADE = Forecast(Question(1, DAY), 0)
NONE = Resampler(Resampling(0, 0, 0.95))
SETTINGS = EvaluationSettings(bootstraps=0)


def too_sure(rows_of: Callable[..., Rows], seed: int, count: int, *, censored: bool = True) -> Rows:
    """Patients whose predicted logits are twice too far apart and too high."""
    generator = np.random.default_rng(seed)
    logit = generator.normal(-0.5, 0.8, count)
    risk = 1 / (1 + np.exp(-logit))
    time = np.where(generator.uniform(size=count) < risk, generator.uniform(1, DAY, count), 900.0)
    censor = generator.uniform(30, 1200, count) if censored else np.full(count, 950.0)
    event = (time <= censor) & (time < 900)
    predicted = 1 / (1 + np.exp(-(2 * logit + 1)))
    return rows_of(
        np.minimum(time, censor), event, 3 * logit, survival=1 - predicted[:, None], grid=(DAY,)
    )


def weighed(rows: Rows) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    weights = MADE.question.weights(rows, np.ones((len(rows), 1)))[:, 0]
    return weights > 0, MADE.question.cases(rows), weights


def test_slope_and_intercept_are_those_of_logistic_regression(rows_of: Callable[..., Rows]) -> None:
    rows = too_sure(rows_of, 0, 800)
    kept, case, weights = weighed(rows)
    risk = MADE.risk(rows)
    logit = np.log(risk / (1 - risk))[:, None]
    theirs = LogisticRegression(C=np.inf, tol=1e-10, max_iter=500)
    theirs.fit(logit[kept], case[kept], sample_weight=weights[kept])
    ours = fit_map("slope-intercept", rows, MADE).numbers
    assert ours["intercept"][0] == pytest.approx(theirs.intercept_[0], rel=1e-5)
    assert ours["slope"][0] == pytest.approx(theirs.coef_[0, 0], rel=1e-5)
    assert ours["slope"][0] == pytest.approx(0.5, abs=0.12)


def test_platt_maps_the_risk_score(rows_of: Callable[..., Rows]) -> None:
    rows = too_sure(rows_of, 1, 800)
    kept, case, weights = weighed(rows)
    theirs = LogisticRegression(C=np.inf, tol=1e-10, max_iter=500)
    theirs.fit(rows.risk[kept, None], case[kept], sample_weight=weights[kept])
    ours = fit_map("platt", rows, MADE)
    expected = theirs.predict_proba(rows.risk[:, None])[:, 1]
    np.testing.assert_allclose(ours.apply(rows, MADE), expected, atol=0.01)  # smoothed targets
    assert np.abs(ours.apply(rows, MADE) - expected).max() > 1e-5


def test_isotonic_is_scikit_learns(rows_of: Callable[..., Rows]) -> None:
    rows = too_sure(rows_of, 2, 500)
    kept, case, weights = weighed(rows)
    risk = np.round(MADE.risk(rows), 2)
    theirs = IsotonicRegression(out_of_bounds="clip")
    theirs.fit(risk[kept], case[kept], sample_weight=weights[kept])
    x, y = pooled(risk[kept], case[kept].astype(float), weights[kept])
    np.testing.assert_allclose(np.interp(risk, x, y), theirs.predict(risk), atol=1e-10)
    assert (np.diff(y) >= 0).all()


@pytest.mark.parametrize("name", MAPS)
def test_a_map_lives_in_json(rows_of: Callable[..., Rows], name: str) -> None:
    rows = too_sure(rows_of, 3, 300)
    fitted = fit_map(name, rows, MADE)  # type: ignore[arg-type]
    read = RiskMap(name, json.loads(json.dumps(fitted.numbers)))  # type: ignore[arg-type]
    np.testing.assert_array_equal(read.apply(rows, MADE), fitted.apply(rows, MADE))


@pytest.mark.parametrize("name", ["slope-intercept", "isotonic"])
def test_on_its_own_rows_a_map_expects_what_is_observed(
    rows_of: Callable[..., Rows], name: str
) -> None:
    rows = too_sure(rows_of, 4, 400, censored=False)
    mapped = fit_map(name, rows, MADE).apply(rows, MADE)  # type: ignore[arg-type]
    assert mapped.mean() == pytest.approx(MADE.question.cases(rows).mean(), rel=1e-9)


def test_maps_of_validation_rows_mend_test_rows(rows_of: Callable[..., Rows]) -> None:
    validation, test = too_sure(rows_of, 5, 1500), too_sure(rows_of, 6, 1500)
    provenance = Provenance(protocol="landmark", horizon=DAY)
    runs = ((0, 0, 0),)
    model = ModelRows("m", "m", "m", "death", "test", test, validation, provenance, runs)
    found = recalibrations(model, MADE.question, SETTINGS, NONE)
    before = found["before"]
    assert [one["name"] for one in found["maps"]] == list(MAPS)  # type: ignore[union-attr]
    assert before["observed_expected"]["value"] < 0.9  # type: ignore[index]
    for one in found["maps"]:  # type: ignore[union-attr]
        after = one["after"]
        assert after["brier"]["value"] < before["brier"]["value"]  # type: ignore[index]
        assert after["observed_expected"]["value"] == pytest.approx(1, abs=0.12)
        if one["name"] != "isotonic":
            assert after["calibration_slope"]["value"] == pytest.approx(1, abs=0.2)


def test_too_few_validation_events_leave_no_map(rows_of: Callable[..., Rows]) -> None:
    test = too_sure(rows_of, 6, 200)
    provenance = Provenance(protocol="landmark", horizon=DAY)
    few = test.take(np.arange(6))
    model = ModelRows("m", "m", "m", "death", "test", test, few, provenance, ((0, 0, 0),))
    found = recalibrations(model, MADE.question, SETTINGS, NONE)
    for one in found["maps"]:  # type: ignore[union-attr]
        assert one["after"] is None
        assert "10 events or more" in one["reason"]


def test_predictions_that_part_cases_from_controls_have_no_logistic_map(
    rows_of: Callable[..., Rows],
) -> None:
    time = np.repeat([100.0, 500.0], 20)
    risk = np.append(np.linspace(0.6, 0.9, 20), np.linspace(0.1, 0.4, 20))
    rows = rows_of(time, time < 200, risk, survival=1 - risk[:, None], grid=(DAY,))
    with pytest.raises(UndefinedMetricError, match="part cases"):
        fit_map("slope-intercept", rows, MADE)
    with pytest.raises(UndefinedMetricError, match="do not vary"):
        fit_map(
            "platt",
            rows_of(time, time < 200, np.zeros(40), survival=1 - risk[:, None], grid=(DAY,)),
            MADE,
        )
