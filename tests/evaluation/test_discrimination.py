from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from sequela.errors import UndefinedMetricError
from sequela.evaluation.auc_influence import auc_influence, auc_standard_error
from sequela.evaluation.delong import delong
from sequela.evaluation.discrimination import (
    antolini_of,
    auc,
    auc_measure,
    auc_of,
    concordance_of,
    pairs_of,
    weighted_auc,
)
from sequela.evaluation.outcome import Question
from sequela.evaluation.rows import Rows
from sequela.evaluation.uncertainty import Draw, Resampler, Resampling
from sequela.survival.concordance import concordance

NONE = Resampler(Resampling(0, 1, 0.95))


@pytest.fixture
def tied() -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(3)
    return np.round(generator.normal(size=80), 1), generator.random(80) < 0.4


def test_auc_is_the_share_of_pairs_won_with_ties_a_half(
    tied: tuple[np.ndarray, np.ndarray],
) -> None:
    risk, event = tied
    gap = risk[event][:, None] - risk[~event]
    assert auc(risk, event) == pytest.approx(((gap > 0) + 0.5 * (gap == 0)).mean())
    assert auc(risk, event) == pytest.approx(roc_auc_score(event, risk))


@pytest.mark.parametrize("event", [np.ones(4, dtype=bool), np.zeros(4, dtype=bool)])
def test_auc_of_one_class_is_undefined(event: np.ndarray) -> None:
    with pytest.raises(UndefinedMetricError, match="with and without"):
        auc(np.arange(4.0), event)


def test_a_weight_of_two_is_a_row_that_stands_twice(tied: tuple[np.ndarray, np.ndarray]) -> None:
    risk, event = tied
    counts = np.random.default_rng(0).integers(0, 4, size=len(risk))
    rows = np.repeat(np.arange(len(risk)), counts)
    case = (event * counts)[:, None].astype(float)
    control = (~event * counts)[:, None].astype(float)
    assert weighted_auc(risk, case, control)[0] == pytest.approx(auc(risk[rows], event[rows]))


def test_a_column_without_cases_is_nan_and_the_others_are_not() -> None:
    case, control = np.array([[0.0, 1.0], [0.0, 0.0]]), np.array([[1.0, 0.0], [1.0, 1.0]])
    found = weighted_auc(np.array([2.0, 1.0]), case, control)
    assert np.isnan(found[0])
    assert found[1] == 1.0


def test_delong_is_the_covariance_of_placements(tied: tuple[np.ndarray, np.ndarray]) -> None:
    risk, event = tied
    other = np.round(risk + np.random.default_rng(1).normal(size=len(risk)), 1)
    risks = np.stack([risk, other])
    found = delong(risks, event, one_row_a_patient=True)
    above, below = [], []
    for one in risks:
        gap = one[event][:, None] - one[~event]
        wins = (gap > 0) + 0.5 * (gap == 0)
        above.append(wins.mean(axis=1))
        below.append(wins.mean(axis=0))
    expected = np.cov(above) / event.sum() + np.cov(below) / (~event).sum()
    np.testing.assert_allclose(found.covariance, expected)
    np.testing.assert_allclose(found.auc, [auc(one, event) for one in risks])


def test_delong_is_refused_where_patients_have_several_rows_and_where_nothing_differs(
    tied: tuple[np.ndarray, np.ndarray],
) -> None:
    risk, event = tied
    with pytest.raises(UndefinedMetricError, match="have several"):
        delong(risk[None], event, one_row_a_patient=False)
    twins = delong(np.stack([risk, 3 * risk]), event, one_row_a_patient=True)
    with pytest.raises(UndefinedMetricError, match="rank the patients alike"):
        twins.difference(0, 1, 0.95)


def test_delong_holds_its_level_when_two_models_are_equally_good() -> None:
    generator = np.random.default_rng(11)
    rejected = 0
    for _ in range(400):
        event = np.arange(120) < 50
        risks = generator.normal(size=(2, 120)) + event + generator.normal(size=120)
        p = delong(risks, event, one_row_a_patient=True).difference(0, 1, 0.95).p
        rejected += p is not None and p < 0.05
    assert 8 <= rejected <= 34  # 20 expected, three standard errors


def test_the_analytic_error_of_a_plain_auc_is_close_to_delongs(
    tied: tuple[np.ndarray, np.ndarray],
) -> None:
    risk, event = tied
    codes = event.astype(int)
    ours = auc_standard_error(risk, np.ones(len(risk)), codes, Question(1, None))
    theirs = np.sqrt(delong(risk[None], event, one_row_a_patient=True).covariance[0, 0])
    assert ours == pytest.approx(theirs, rel=0.02)


def test_influence_is_nearly_the_change_of_auc_when_a_row_counts_more(
    rows_of: Callable[..., Rows],
) -> None:
    generator = np.random.default_rng(5)
    event = generator.choice(3, size=120, p=[0.4, 0.4, 0.2])
    # Whole days tie; events fall at noon, so that none shares its moment with a censoring.
    time = np.ceil(generator.exponential(20, 120)) + np.where(event > 0, 0.5, 0.0)
    risk = np.round(generator.normal(size=120) - time / 20, 1)
    rows, question = rows_of(time, event, risk), Question(1, 15.0)
    influence = auc_influence(risk, time, event, question)
    hair = 1e-6
    for row in range(0, 120, 9):
        counts = np.ones((120, 2))
        counts[row] += [hair, -hair]
        more, less = auc_measure(question)(rows, Draw(rows, counts))
        assert influence[row] == pytest.approx((more - less) / (2 * hair), abs=2e-5)
    assert influence.std() > 1e-3
    assert influence.sum() == pytest.approx(0, abs=1e-12)


def test_patients_with_a_competing_event_by_the_horizon_are_controls(
    rows_of: Callable[..., Rows],
) -> None:
    time, event = np.array([1.0, 2.0, 3.0, 9.0]), np.array([1, 2, 0, 0])
    rows = rows_of(time, event, np.array([4.0, 1.0, 2.0, 3.0]))
    question = Question(1, 5.0)
    assert question.cases(rows).tolist() == [True, False, False, False]
    assert question.controls(rows).tolist() == [False, True, False, True]
    weights = question.weights(rows, np.ones((4, 1)))[:, 0]
    np.testing.assert_allclose(weights, [1.0, 1.0, 0.0, 2.0])


@pytest.mark.parametrize("pairs", ["harrell", "uno"])
@pytest.mark.parametrize("horizon", [None, 12.0])
def test_the_kernel_for_resamples_counts_as_the_sorting_does(
    rows_of: Callable[..., Rows], pairs: str, horizon: float | None
) -> None:
    generator = np.random.default_rng(2)
    time = np.ceil(generator.exponential(10, 90))
    event = generator.choice(3, size=90, p=[0.4, 0.4, 0.2])
    rows = rows_of(time, event, np.round(generator.normal(size=90), 1))
    question = Question(1, horizon)
    found = concordance_of(rows, question, NONE, pairs, horizon).estimate.value
    assert found == pytest.approx(pairs_of(rows, question, pairs, horizon).value, rel=1e-12)


def test_the_kernel_leaves_out_who_has_not_entered(rows_of: Callable[..., Rows]) -> None:
    generator = np.random.default_rng(6)
    time = np.ceil(generator.exponential(10, 90))
    plain = rows_of(time, generator.choice(2, size=90), np.round(generator.normal(size=90), 1))
    late = generator.random(90) < 0.5
    entry = np.where(late, np.floor(time * generator.random(90)), -np.inf)
    rows, question = replace(plain, entry=entry), Question(1, None)
    found = concordance_of(rows, question, NONE, "harrell", None).estimate.value
    assert found == pytest.approx(pairs_of(rows, question, "harrell", None).value, rel=1e-12)
    assert found != pairs_of(plain, question, "harrell", None).value
    found = concordance_of(rows, question, NONE, "uno", None).estimate.value
    assert found == pytest.approx(pairs_of(rows, question, "uno", None).value, rel=1e-9)


def test_a_resampled_c_is_that_of_the_rows_written_out(rows_of: Callable[..., Rows]) -> None:
    generator = np.random.default_rng(2)
    time = np.ceil(generator.exponential(10, 60))
    event = generator.choice(2, size=60)
    risk = np.round(generator.normal(size=60), 1)
    rows = rows_of(time, event, risk)
    resampler = Resampler(Resampling(3, 9, 0.95))
    drawn = concordance_of(rows, Question(1, None), resampler, "uno", 15.0)
    (block,) = list(resampler.blocks(rows))[1]
    for column, value in zip(block.counts.astype(int).T, drawn.draws, strict=True):
        written = np.repeat(np.arange(60), column)
        out = concordance(
            time[written], event[written] == 1, risk[written], pairs="uno", horizon=15.0
        )
        assert value == pytest.approx(out.value, rel=1e-12)


def test_many_rows_get_an_interval_without_a_bootstrap(rows_of: Callable[..., Rows]) -> None:
    generator = np.random.default_rng(2)
    time = generator.exponential(10, 4000)
    rows = rows_of(time, np.ones(4000, dtype=int), -time + 10 * generator.normal(size=4000))
    estimate = concordance_of(rows, Question(1, None), NONE, "harrell", None).estimate
    assert estimate.method == "infinitesimal jackknife over patients"
    assert estimate.low is not None
    assert estimate.high is not None
    assert 0.01 < estimate.high - estimate.low < 0.05


@pytest.mark.parametrize(
    ("event", "message"),
    [([0, 0, 0], "0 with"), ([1, 1, 1], "0 without"), ([1, 0, 0], "followed to day 50")],
)
def test_what_is_missing_for_a_dynamic_auc_is_said(
    rows_of: Callable[..., Rows], event: list[int], message: str
) -> None:
    rows = rows_of(np.array([1.0, 60.0, 70.0]), np.array(event), np.arange(3.0))
    horizon = 80.0 if event == [1, 1, 1] else 50.0
    if message.startswith("followed"):
        rows = rows_of(np.array([1.0, 20.0, 30.0]), np.array([1, 2, 0]), np.arange(3.0))
    with pytest.raises(UndefinedMetricError, match=message):
        auc_of(rows, Question(1, horizon), NONE)


def curves_of(
    rows_of: Callable[..., Rows], hazard: np.ndarray, *, times: int = 8, count: int = 150
) -> Rows:
    generator = np.random.default_rng(12)
    time = np.ceil(generator.exponential(400 / hazard))
    censor = generator.integers(50, 900, count)
    grid = np.linspace(90, 720, times)
    survival = np.exp(-hazard[:, None] * grid / 400)
    event = (time <= censor).astype(int)
    return rows_of(np.minimum(time, censor), event, hazard, survival=survival, grid=tuple(grid))


def test_antolinis_c_of_proportional_curves_is_harrells_up_to_their_end(
    rows_of: Callable[..., Rows],
) -> None:
    hazard = np.exp(np.random.default_rng(2).normal(size=150))
    rows = curves_of(rows_of, hazard)
    ours = antolini_of(rows, Question(1, None), 0.95).estimate
    theirs = concordance(rows.time, rows.event == 1, hazard, horizon=720.0)
    assert ours.value == pytest.approx(theirs.value, rel=1e-12)
    width = 1.959964 * theirs.standard_error()
    assert ours.low == pytest.approx(theirs.value - width, abs=1e-6)


def test_antolinis_c_needs_curves(rows_of: Callable[..., Rows]) -> None:
    rows = curves_of(rows_of, np.ones(150), times=3)
    with pytest.raises(UndefinedMetricError, match="5 grid times"):
        antolini_of(rows, Question(1, None), 0.95)
    flat = antolini_of(curves_of(rows_of, np.ones(150)), Question(1, None), 0.95)
    assert flat.estimate.value == 0.5
