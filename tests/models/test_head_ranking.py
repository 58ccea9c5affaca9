"""Laws of the ranking head: a distribution whose likelihood and order can be written out."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from sequela.errors import UndefinedMetricError, UsageError
from sequela.models.head_ranking import RankingHead, RankingHeadConfig
from sequela.models.heads import fit_head, head_from_state
from sequela.survival.aalen_johansen import aalen_johansen
from sequela.survival.followup import Followup
from sequela.survival.time_bins import TimeBins

BINS = TimeBins((100.0, 250.0, 600.0), 1000.0)


def head(weight: float = 0.0, causes: tuple[tuple[int, ...], ...] = ((1,),)) -> RankingHead:
    return RankingHead(BINS, 1000.0, weight, 0.1, causes)


def followup(time: list[float], event: list[int]) -> Followup:
    return Followup(np.array(time, dtype=np.float64), np.array(event))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-4, 4), min_size=4, max_size=4))
def test_outcomes_of_one_patient_have_probability_one(numbers: list[float]) -> None:
    """An event in any bin, or none by the end."""
    logits = torch.tensor([numbers], dtype=torch.float64)

    def probability(time: float, event: int) -> float:
        return float(np.exp(-head().loss(logits, followup([time], [event])).item()))

    total = sum(probability(time, 1) for time in (50, 100, 300, 999)) + probability(1001, 0)
    np.testing.assert_allclose(total, 1)


def test_who_is_censored_within_a_bin_is_credited_with_the_days_spent_there() -> None:
    logits = torch.randn(1, 4, dtype=torch.float64)
    found = [head().loss(logits, followup([day], [0])).item() for day in (250, 300, 425, 599, 600)]
    assert np.diff(found).min() > 0
    survival = head().survival(logits, (250.0, 300.0, 425.0, 599.0, 600.0))
    np.testing.assert_allclose(np.exp(-np.array(found)), survival[0].numpy())


def test_the_incidence_learnt_without_covariates_is_aalen_johansens() -> None:
    random = np.random.default_rng(0)
    time, event = random.exponential(400, 4000), random.choice([0, 1, 2, 2], 4000)
    patients = Followup(time, event)
    made = fit_head(RankingHeadConfig(bins=10, weight=0.0), patients, 1000.0)
    assert made.logits == 20
    logits = torch.zeros(1, 20, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([logits], max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimiser.zero_grad()
        value = made.loss(logits.expand(len(patients), -1), patients)
        value.backward()
        return value

    optimiser.step(loss)
    counted = float(aalen_johansen(time, event).at(np.array([1000.0]))[0])
    assert made.risk(logits).item() == pytest.approx(counted, abs=0.015)


def test_the_ranking_is_the_mean_over_pairs_written_out() -> None:
    causes = ((1,), (2,))
    logits = torch.randn(6, 8, dtype=torch.float64)
    patients = followup([50, 120, 120, 400, 700, 900], [1, 2, 0, 1, 0, 2])
    plain, ranked = (head(weight, causes).loss(logits, patients) for weight in (0.0, 0.5))
    terms = []
    for i in range(6):
        cause = int(patients.event[i])
        for j in range(6):
            if cause and patients.time[j] > patients.time[i]:
                at = head(0.0, causes).incidence(logits, (float(patients.time[i]),))[:, 0]
                terms.append(float(torch.exp((at[j, cause - 1] - at[i, cause - 1]) / 0.1)))
    assert float(ranked - plain) == pytest.approx(0.5 * float(np.mean(terms)))


def test_patients_who_cannot_be_ranked_pull_at_nothing() -> None:
    logits = torch.randn(3, 4, requires_grad=True)
    nobody = followup([500, 500, 500], [1, 1, 1])
    plain = head().loss(logits, nobody)
    torch.testing.assert_close(head(3.0).loss(logits, nobody), plain)
    head(3.0).loss(logits, followup([90, 200, 5000], [0, 1, 0])).backward()
    assert logits.grad is not None and torch.isfinite(logits.grad).all()


def test_survival_falls_from_one_and_the_risk_is_its_complement() -> None:
    logits = torch.randn(5, 4)
    survival = head().survival(logits, (0.0, 50.0, 100.0, 600.0, 1000.0))
    assert (survival[:, 0] == 1).all() and (survival.diff(dim=1) < 0).all()
    torch.testing.assert_close(head().risk(logits), 1 - survival[:, -1])
    with pytest.raises(UndefinedMetricError, match="up to 1000 days"):
        head().survival(logits, (1001.0,))
    without_end = RankingHead(BINS, None, 0.2, 0.1)
    torch.testing.assert_close(
        without_end.risk(logits), (1 - without_end.survival(logits, without_end.grid)).sum(dim=1)
    )


@pytest.mark.parametrize("horizon", [None, 700.0])
def test_it_comes_back_from_its_state_as_json(horizon: float | None) -> None:
    random = np.random.default_rng(1)
    patients = Followup(random.uniform(1, 900, 50), random.integers(0, 3, 50))
    made = fit_head(RankingHeadConfig(bins=3, weight=1.5, rivals="each"), patients, horizon)
    assert head_from_state(json.loads(json.dumps(made.state()))) == made
    assert made.score(torch.randn(4, made.logits)).shape == (4,)
    late = Followup(patients.time, patients.event, np.full(50, 0.5))
    with pytest.raises(UsageError, match="come under observation"):
        fit_head(RankingHeadConfig(), late)
