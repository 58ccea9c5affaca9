from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from lifelines import PiecewiseExponentialFitter
from torch import Tensor

from sequela.errors import UndefinedMetricError
from sequela.models.heads import (
    CoxHeadConfig,
    DiscreteHazardHeadConfig,
    PiecewiseHazardHead,
    PiecewiseHazardHeadConfig,
    fit_head,
    head_from_state,
    incidence_of_rivals,
)
from sequela.survival.aalen_johansen import aalen_johansen
from sequela.survival.followup import Followup
from sequela.survival.time_bins import TimeBins

BINS = TimeBins((100.0, 250.0, 600.0), 1000.0)
HEAD = PiecewiseHazardHead(BINS, 1000.0, (700.0,))


def patients(count: int, causes: tuple[int, ...], seed: int = 0) -> Followup:
    random = np.random.default_rng(seed)
    time, last = random.exponential(400, count), random.uniform(100, 1500, count)
    event = np.where(time <= last, random.choice(causes, count), 0)
    return Followup(np.minimum(time, last), event)


def learnt(head: PiecewiseHazardHead, train: Followup) -> Tensor:
    """The logits that fit these patients best, the same for all."""
    logits = torch.zeros(1, head.logits, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([logits], max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimiser.zero_grad()
        value = head.loss(logits.expand(len(train), -1), train)
        value.backward()
        return value

    optimiser.step(loss)
    return logits.detach()


def test_hazards_learnt_are_lifelines_piecewise_exponential() -> None:
    train = patients(500, (1,))
    head = PiecewiseHazardHead(TimeBins((200.0, 500.0), 1500.0), None, (700.0,))
    reference = PiecewiseExponentialFitter([200.0, 500.0]).fit(train.time, train.event)
    hazard = learnt(head, train).exp()[0] / 700.0
    np.testing.assert_allclose(1 / hazard, reference.params_.to_numpy(), rtol=1e-3)


def test_a_logit_of_zero_is_the_crude_rate_of_training_patients() -> None:
    train = patients(300, (1, 2))
    head = fit_head(PiecewiseHazardHeadConfig(bins=4), train, 900.0)
    assert isinstance(head, PiecewiseHazardHead) and head.causes == ((1,), (2,))
    days = np.minimum(train.time, 900).sum()
    events = [((train.event == cause) & (train.time <= 900)).sum() for cause in (1, 2)]
    np.testing.assert_allclose(head.days_an_event, days / np.array(events))


def test_days_after_censoring_are_not_credited() -> None:
    """A discrete hazard would count both as survivors of the whole bin."""
    logits = torch.zeros(1, 4)
    early, late = (
        HEAD.loss(logits, Followup(np.array([time]), np.array([0]))) for time in (110.0, 240.0)
    )
    torch.testing.assert_close(late - early, torch.tensor(130.0 / 700))


def test_a_patient_who_enters_late_is_followed_from_then_on() -> None:
    logits, event = torch.randn(1, 4), np.array([1])
    whole = HEAD.loss(logits, Followup(np.array([300.0]), event))
    late = HEAD.loss(logits, Followup(np.array([300.0]), event, np.array([150.0])))
    spared = HEAD.loss(logits, Followup(np.array([150.0]), np.array([0])))
    torch.testing.assert_close(late, whole - spared)


@pytest.mark.parametrize("rivals", ["together", "each"])
def test_incidences_learnt_without_covariates_are_aalen_johansens(rivals: str) -> None:
    train = patients(3000, (1, 2, 2, 3))
    config = PiecewiseHazardHeadConfig.model_validate({"bins": 8, "rivals": rivals})
    head = fit_head(config, train, 1000.0)
    assert isinstance(head, PiecewiseHazardHead)
    assert head.causes == (((1,), (2,), (3,)) if rivals == "each" else ((1,), (2, 3)))
    incidence = head.incidence(learnt(head, train), (500.0, 1000.0))[0]
    for place, cause in enumerate(head.causes):
        event = np.where(np.isin(train.event, cause), 1, np.where(train.event > 0, 9, 0))
        counted = aalen_johansen(train.time, event).at(np.array([500.0, 1000.0]))
        np.testing.assert_allclose(incidence[:, place], counted, atol=0.02)


@pytest.mark.parametrize("kind", ["piecewise-hazard", "discrete-hazard"])
def test_rivals_with_a_hazard_of_their_own_are_told_by_their_cause(kind: str) -> None:
    train, times = patients(300, (1, 2, 2, 3)), (500.0, 1000.0)
    make = DiscreteHazardHeadConfig if kind == "discrete-hazard" else PiecewiseHazardHeadConfig
    apart = fit_head(make(rivals="each", bins=4), train, 1000.0)
    logits = torch.randn(7, apart.logits, dtype=torch.float64)
    found = incidence_of_rivals(apart, logits, times)
    assert list(found) == [2, 3]
    left = apart.survival(logits, times)
    assert ((found[2] + found[3]) < left).all() and (found[2] > 0).all()
    joined = fit_head(make(bins=4), train, 1000.0)
    assert not incidence_of_rivals(joined, torch.zeros(7, joined.logits), times)
    assert not incidence_of_rivals(fit_head(CoxHeadConfig(), train, 1000.0), logits[:, :1], times)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-4, 4), min_size=12, max_size=12))
def test_incidences_of_all_causes_and_being_free_of_them_sum_to_one(numbers: list[float]) -> None:
    head = PiecewiseHazardHead(BINS, 1000.0, (700.0, 300.0, 2000.0), ((1,), (2,), (3,)))
    logits, times = torch.tensor([numbers], dtype=torch.float64), (0.0, 60.0, 250.0, 1000.0)
    rates = logits.reshape(4, 3).exp() / torch.tensor([700.0, 300.0, 2000.0])
    widths = torch.tensor(np.diff(BINS.bounds))
    passed = torch.tensor([[0, 0, 0, 0], [60, 0, 0, 0], [100, 150, 0, 0], widths.tolist()])
    free = torch.exp(-(passed.double() * rates.sum(dim=1)).sum(dim=1))
    torch.testing.assert_close(
        head.incidence(logits, times)[0].sum(dim=1) + free, torch.ones(4).double()
    )


def test_without_a_horizon_risk_is_the_expected_mortality() -> None:
    head = PiecewiseHazardHead(BINS, None, (700.0,))
    logits = torch.linspace(-2, 2, 20, dtype=torch.float64).reshape(5, 4)
    expected = -head.survival(logits, head.grid).log().sum(dim=1)
    torch.testing.assert_close(head.risk(logits), expected)
    with pytest.raises(UndefinedMetricError, match="up to 1000 days"):
        head.survival(logits, (1001.0,))


@pytest.mark.parametrize("horizon", [None, 700.0])
def test_it_comes_back_from_its_state_as_json(horizon: float | None) -> None:
    head = fit_head(PiecewiseHazardHeadConfig(rivals="each"), patients(200, (1, 2, 5)), horizon)
    assert head_from_state(json.loads(json.dumps(head.state()))) == head
