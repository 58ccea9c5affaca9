from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from sequela.errors import DataError, UndefinedMetricError, UsageError
from sequela.models.heads import (
    BinaryHead,
    BinaryHeadConfig,
    DiscreteHazardHead,
    DiscreteHazardHeadConfig,
    fit_head,
    head_from_state,
)
from sequela.survival.aalen_johansen import aalen_johansen, nelson_aalen
from sequela.survival.followup import Followup
from sequela.survival.time_bins import TimeBins

BINS = TimeBins((100.0, 250.0, 600.0), 1000.0)


def followup(time: list[float], event: list[int]) -> Followup:
    return Followup(np.array(time, dtype=float), np.array(event))


def some_followup(count: int = 60, seed: int = 0) -> Followup:
    random = np.random.default_rng(seed)
    return Followup(random.uniform(1, 1500, count), random.integers(0, 3, count))


def test_a_patient_lost_before_the_horizon_has_no_label() -> None:
    head = BinaryHead(horizon=500.0, cause=1)
    patients = followup([400, 500, 501, 400, 500, 501, 400, 600], [1, 1, 1, 0, 0, 0, 2, 2])
    event, known = head.label(patients)
    assert event.tolist() == [True, True, False, False, False, False, False, False]
    assert known.tolist() == [True, True, True, False, True, True, True, True]


def test_without_a_horizon_the_label_is_whether_the_event_was_seen() -> None:
    event, known = BinaryHead(horizon=None, cause=1).label(followup([9, 9, 9], [1, 0, 2]))
    assert event.tolist() == [True, False, False]
    assert known.all()


def test_binary_loss_is_the_mean_cross_entropy_of_those_whose_label_is_known() -> None:
    head, patients = BinaryHead(horizon=700.0), some_followup()
    logits = torch.randn(len(patients), 1, dtype=torch.float64)
    probability = 1 / (1 + np.exp(-logits[:, 0].numpy()))
    terms = [
        -np.log(p) if e == 1 and t <= 700 else -np.log(1 - p)
        for p, t, e in zip(probability, patients.time, patients.event, strict=True)
        if not (e == 0 and t < 700)
    ]
    assert 0 < len(terms) < len(patients)
    np.testing.assert_allclose(head.loss(logits, patients).item(), np.mean(terms))


def test_patients_without_a_label_pull_at_nothing() -> None:
    head, patients = BinaryHead(horizon=500.0), followup([100, 800], [0, 0])
    logits = torch.zeros(2, 1, requires_grad=True)
    head.loss(logits, patients).backward()
    assert logits.grad is not None and logits.grad[:, 0].tolist() == [0.0, 0.5]


def test_a_batch_in_which_no_label_is_known_has_loss_zero_and_a_gradient() -> None:
    logits = torch.randn(2, 1, requires_grad=True)
    loss = BinaryHead(horizon=500.0).loss(logits, followup([100, 200], [0, 0]))
    loss.backward()
    assert loss.item() == 0
    assert logits.grad is not None and not logits.grad.any()


def test_a_binary_head_refuses_survival_at_other_times() -> None:
    head = BinaryHead(horizon=500.0)
    survival = head.survival(torch.zeros(3, 1), head.grid)
    assert survival.tolist() == [[0.5]] * 3
    with pytest.raises(UndefinedMetricError, match="at its horizon only"):
        head.survival(torch.zeros(3, 1), (100.0,))
    assert BinaryHead(horizon=None).grid == ()


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-4, 4), min_size=4, max_size=4))
def test_outcomes_of_one_patient_have_probability_one(numbers: list[float]) -> None:
    """An event in any bin, or none by the end."""
    head = DiscreteHazardHead(BINS, 1000.0)
    logits = torch.tensor([numbers], dtype=torch.float64)

    def probability(time: float, event: int) -> float:
        return float(np.exp(-head.loss(logits, followup([time], [event])).item()))

    total = sum(probability(time, 1) for time in (50, 100, 300, 999)) + probability(1000, 0)
    np.testing.assert_allclose(total, 1)


def test_hazard_loss_equals_a_likelihood_written_out() -> None:
    head, patients = DiscreteHazardHead(BINS, 1000.0), some_followup()
    logits = torch.randn(len(patients), 4, dtype=torch.float64)
    hazard = 1 / (1 + np.exp(-logits.numpy()))
    total = 0.0
    for row, time, event in zip(hazard, patients.time, patients.event, strict=True):
        for start, end, h in zip(BINS.bounds[:-1], BINS.bounds[1:], row, strict=True):
            last = start <= time < end or (end == 1000.0 and time >= end)
            here = last and event == 1 and time <= 1000.0
            total -= np.log(h if here else 1 - h) if time >= start else 0.0
    np.testing.assert_allclose(head.loss(logits, patients).item(), total / len(patients))


def test_what_follows_the_horizon_is_not_looked_at() -> None:
    head, logits = DiscreteHazardHead(BINS, 1000.0), torch.randn(3, 4)
    late = head.loss(logits, followup([1001, 5000, 1000], [1, 2, 0]))
    torch.testing.assert_close(late, head.loss(logits, followup([1000] * 3, [0, 0, 0])))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-4, 4), min_size=8, max_size=8))
def test_incidences_of_rivals_and_being_free_of_both_sum_to_one(numbers: list[float]) -> None:
    logits = torch.tensor([numbers], dtype=torch.float64)
    swapped = logits.reshape(4, 2).flip(1).reshape(1, 8)
    head, times = DiscreteHazardHead(BINS, 1000.0, causes=((1,), (2,))), (0.0, 60.0, 250.0, 1000.0)
    together = 1 - head.survival(logits, times) + 1 - head.survival(swapped, times)
    one = DiscreteHazardHead(BINS, 1000.0)
    free = one.survival(logits.reshape(1, 4, 2).logsumexp(dim=2), times)
    torch.testing.assert_close(together + free, torch.ones_like(free))


def test_the_incidence_learnt_without_covariates_is_aalen_johansens() -> None:
    random = np.random.default_rng(0)
    time, event = random.exponential(400, 4000), random.choice([0, 1, 2, 2], 4000)
    patients = Followup(time, event)
    head = fit_head(DiscreteHazardHeadConfig(bins=10), patients, 1000.0)
    assert (
        isinstance(head, DiscreteHazardHead) and head.causes == ((1,), (2,)) and head.logits == 20
    )
    logits = torch.zeros(1, 20, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([logits], max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimiser.zero_grad()
        value = head.loss(logits.expand(len(patients), -1), patients)
        value.backward()
        return value

    optimiser.step(loss)
    counted = float(aalen_johansen(time, event).at(np.array([1000.0]))[0])
    naive = float(1 - np.exp(-nelson_aalen(time, event).at(np.array([1000.0])))[0])
    assert head.risk(logits).item() == pytest.approx(counted, abs=0.015)
    assert naive > counted + 0.1


def test_without_a_hazard_of_its_own_a_competing_event_counts_as_censoring() -> None:
    head, logits = DiscreteHazardHead(BINS, 1000.0), torch.randn(2, 4)
    competing = head.loss(logits, followup([300, 50], [2, 3]))
    assert torch.equal(competing, head.loss(logits, followup([300, 50], [0, 0])))


@pytest.mark.parametrize("kind", ["discrete-hazard", "piecewise-hazard", "ranking"])
def test_survival_stays_a_probability_whatever_the_logits(kind: str) -> None:
    state = {"kind": kind, "edges": [100.0, 250.0, 600.0], "end": 1000.0, "horizon": None}
    state |= {"causes": [[1]], "days_an_event": [700.0], "weight": 0.2, "scale": 0.1}
    head = head_from_state(state)
    logits = torch.randn(2000, 4, generator=torch.manual_seed(0), dtype=torch.float64) * 8
    survival = head.survival(logits, tuple(np.linspace(0, 1000, 21)))
    assert survival.min() < 1e-9 and survival.min() >= 0 and survival.max() <= 1


def test_survival_falls_from_one_and_meets_the_bins_at_their_ends() -> None:
    head, logits = DiscreteHazardHead(BINS, 1000.0), torch.randn(5, 4)
    times = (0.0, 50.0, 100.0, 175.0, 250.0, 600.0, 1000.0)
    survival = head.survival(logits, times)
    assert (survival[:, 0] == 1).all() and (survival.diff(dim=1) < 0).all()
    ends = torch.cumprod(1 - torch.sigmoid(logits), dim=1)
    torch.testing.assert_close(survival[:, [2, 4, 5, 6]], ends)
    torch.testing.assert_close(survival[:, 1], ends[:, 0].sqrt())
    torch.testing.assert_close(head.risk(logits), 1 - survival[:, -1])
    with pytest.raises(UndefinedMetricError, match="up to 1000 days"):
        head.survival(logits, (1001.0,))


def test_without_a_horizon_risk_is_the_expected_mortality() -> None:
    head, logits = DiscreteHazardHead(BINS, None), torch.randn(5, 4)
    expected = -head.survival(logits, head.grid).log().sum(dim=1)
    torch.testing.assert_close(head.risk(logits), expected)


def test_expected_mortality_counts_the_hazard_of_the_cause_alone() -> None:
    logits = torch.randn(5, 8, dtype=torch.float64)
    of_cause = torch.log_softmax(F.pad(logits.reshape(5, 4, 2), (1, 0)), dim=2)[:, :, 1].exp()
    alone = DiscreteHazardHead(BINS, None).risk(of_cause.logit())
    torch.testing.assert_close(
        DiscreteHazardHead(BINS, None, causes=((1,), (2,))).risk(logits), alone
    )


@pytest.mark.parametrize("config", [BinaryHeadConfig(), DiscreteHazardHeadConfig(bins=5)])
@pytest.mark.parametrize("horizon", [None, 700.0])
def test_a_head_comes_back_from_its_state_as_json(
    config: BinaryHeadConfig | DiscreteHazardHeadConfig, horizon: float | None
) -> None:
    head = fit_head(config, some_followup(), horizon)
    assert head_from_state(json.loads(json.dumps(head.state()))) == head
    assert head.logits == (1 if config.kind == "binary" else 10)
    with pytest.raises(DataError, match="no head"):
        head_from_state({"kind": "crystal-ball"})


def test_what_a_head_cannot_take_is_refused() -> None:
    with pytest.raises(DataError, match="event 1, found none"):
        fit_head(BinaryHeadConfig(), followup([1, 2], [0, 2]), 10.0)
    late = Followup(np.array([5.0, 9.0]), np.array([1, 0]), np.array([0.0, 3.0]))
    with pytest.raises(UsageError, match="1 patients come under observation"):
        fit_head(DiscreteHazardHeadConfig(), late, 10.0)
