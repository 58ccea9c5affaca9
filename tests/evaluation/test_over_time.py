from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from sequela.evaluation.auc_influence import auc_influence
from sequela.evaluation.competing import competing_risks
from sequela.evaluation.discrimination import auc_measure
from sequela.evaluation.metrics import metrics_of
from sequela.evaluation.outcome import Question
from sequela.evaluation.over_time import Watched, last_common_day, over_time
from sequela.evaluation.predictions import Predictions
from sequela.evaluation.rows import Rows, models_of
from sequela.evaluation.settings import EvaluationSettings
from sequela.evaluation.uncertainty import Draw, Resampler, Resampling

Make = Callable[..., Predictions]
FEW = EvaluationSettings(bootstraps=0, curve_bootstraps=0)
HAIR = 1e-5


@pytest.mark.parametrize(("visits", "horizon"), [(1, None), (3, 1095.0)])
def test_at_the_horizon_the_numbers_are_the_metrics(
    predicted: Make, visits: int, horizon: float | None
) -> None:
    """Three visits have weights of each landmark number apart, in both."""
    model = models_of([predicted(visits=visits, horizon=horizon)])[0]
    question = Question(1, horizon)
    day = horizon or 1826.0
    course: Any = over_time(model.test, question, level=0.95)
    metrics = metrics_of(model, Question(1, day), FEW, Resampler(Resampling.asked(FEW)))
    place = course["time"].index(day)
    for name in ("auc", "brier", "ipa"):
        assert course[name][place] == pytest.approx(metrics[name].estimate.value, rel=1e-9)
        assert course[f"{name}_low"][place] < course[name][place] < course[f"{name}_high"][place]
    assert course["time"][-1] <= day
    widths = np.diff(course["time"])
    middle = (np.array(course["brier"][1:]) + course["brier"][:-1]) / 2
    area = float(middle @ widths / widths.sum())
    assert course["integrated_brier"]["value"] == pytest.approx(area)
    assert (course["from"], course["to"]) == (course["time"][0], course["time"][-1])
    assert course["integrated_brier"]["low"] < area < course["integrated_brier"]["high"]


@pytest.mark.parametrize("late", [False, True])
def test_influence_of_the_auc_is_its_derivative_under_delayed_entry_too(
    rows_of: Callable[..., Rows], late: bool
) -> None:
    generator = np.random.default_rng(5)
    event = generator.choice(3, size=120, p=[0.4, 0.4, 0.2])
    time = np.ceil(generator.exponential(20, 120))
    rows = rows_of(time, event, np.round(generator.normal(size=120) - time / 20, 1))
    if late:
        entry = np.where(generator.random(120) < 0.5, -np.inf, np.floor(time * 0.5) + 0.5)
        rows = replace(rows, entry=np.where(entry < time, entry, -np.inf))
    question = Question(1, 15.0)
    found = Watched.of(rows, 1).auc(15.0)
    assert found.influence.sum() == pytest.approx(0, abs=1e-12)
    for row in range(0, 120, 9):
        counts = np.ones((120, 2))
        counts[row] += [HAIR, -HAIR]
        more, less = auc_measure(question)(rows, Draw(rows, counts))
        assert found.influence[row] == pytest.approx((more - less) / (2 * HAIR), abs=1e-7)
    if not late:
        theirs = auc_influence(rows.risk, rows.time, rows.event, question)
        assert found.influence.std() == pytest.approx(theirs.std(), rel=0.02)


def test_influence_of_the_integrated_score_is_close_to_the_bootstraps(predicted: Make) -> None:
    rows = models_of([predicted(patients=400, horizon=None)])[0].test
    course: Any = over_time(rows, Question(1, None), level=0.95)
    generator, drawn = np.random.default_rng(0), []
    for _ in range(60):
        some = rows.take(generator.integers(len(rows), size=len(rows)))
        alone = replace(some, patient=np.arange(len(rows)))
        again: Any = over_time(alone, Question(1, None), level=0.95)
        drawn.append([again[name]["value"] for name in ("integrated_brier", "integrated_ipa")])
    for name, spread in zip(
        ("integrated_brier", "integrated_ipa"), np.std(drawn, axis=0), strict=True
    ):
        width = course[name]["high"] - course[name]["low"]
        assert width / 3.92 == pytest.approx(spread, rel=0.3)


def test_integrals_end_where_the_first_model_of_a_table_ends(predicted: Make) -> None:
    """One model tells all days of the grid, its twin only the earlier ones: the same score."""
    long = predicted(patients=200, horizon=None)
    rows = models_of([long])[0].test
    survival = rows.survival.copy()
    survival[:, len(rows.grid) // 2 :] = np.nan
    short = replace(rows, survival=survival)
    end = last_common_day([rows, short])
    assert end == rows.grid[len(rows.grid) // 2 - 1]
    apart: Any = over_time(rows, Question(1, None), level=0.95)
    courses: Any = [
        over_time(one, Question(1, None), level=0.95, until=end) for one in (rows, short)
    ]
    assert courses[0]["to"] == courses[1]["to"] == end < apart["to"]
    assert courses[0]["integrated_brier"] == courses[1]["integrated_brier"]
    assert courses[0]["integrated_brier"]["value"] != apart["integrated_brier"]["value"]


def test_without_probabilities_there_is_an_auc_at_deciles_of_the_event_times(
    predicted: Make,
) -> None:
    rows = models_of([predicted()])[0].test
    bare = replace(rows, survival=np.empty((len(rows), 0)), grid=())
    course: Any = over_time(bare, Question(1, None), level=0.95)
    assert len(course["time"]) == 9
    assert None not in course["auc"]
    assert set(course["brier"]) == {None}
    assert "fewer than two days" in course["integrated_brier"]["reason"]


def test_competing_numbers_are_there_where_causes_compete_alone(predicted: Make) -> None:
    model = models_of([predicted(patients=300)])[0]
    found: Any = competing_risks(model, Question(1, None), FEW)
    concordance, ratio = found["concordance"], found["subdistribution_hazard_ratio"]
    assert 0.5 < concordance["low"] < concordance["value"] < concordance["high"]
    assert ratio["low"] < ratio["value"] < ratio["high"]
    # Gray's test and Fine and Gray's model ask the same question of two groups.
    assert (found["gray"]["p"] < 0.05) == (ratio["p"] < 0.05)
    one_cause = replace(model.test, event=(model.test.event == 1).astype(np.int64))
    assert competing_risks(replace(model, test=one_cause), Question(1, None), FEW) is None


def test_rows_of_one_patient_have_no_test_of_gray(predicted: Make) -> None:
    model = models_of([predicted(visits=2, horizon=1095.0)])[0]
    found: Any = competing_risks(model, Question(1, 1095.0), FEW)
    assert "one row a patient" in found["gray"]["reason"]
    assert "robust by patient" in found["subdistribution_hazard_ratio"]["method"]
