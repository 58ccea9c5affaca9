from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from sequela.errors import UndefinedMetricError
from sequela.models.heads import (
    AdditiveHazardHead,
    AdditiveHazardHeadConfig,
    fit_head,
    head_from_state,
)
from sequela.survival.followup import Followup

HEAD = AdditiveHazardHead((365.25, 730.5, 1095.75))


def followup(time: list[float], event: list[int]) -> Followup:
    return Followup(np.array(time, dtype=float), np.array(event))


def test_risk_can_only_grow_with_time() -> None:
    logits = torch.randn(50, 4)
    survival = HEAD.survival(logits, HEAD.years)
    assert (survival.diff(dim=1) <= 0).all() and (survival.diff(dim=1) < 0).any()
    torch.testing.assert_close(HEAD.risk(logits), 1 - survival[:, -1])


def test_loss_is_the_cross_entropy_of_the_years_whose_status_is_known() -> None:
    logits = torch.randn(5, 4, dtype=torch.float64)
    patients = followup([400, 800, 365.25, 100, 2000], [1, 0, 0, 2, 0])
    known = [(0, (0, 1, 1)), (1, (0, 0)), (2, (0,)), (3, (0, 0, 0)), (4, (0, 0, 0))]
    terms = []
    for row, status in known:
        for year, happened in enumerate(status):
            odds = logits[row, 0] + logits[row, 1 : year + 2].clamp(min=0).sum()
            chance = 1 / (1 + np.exp(-odds.item()))
            terms.append(-np.log(chance if happened else 1 - chance))
    np.testing.assert_allclose(HEAD.loss(logits, patients).item(), np.mean(terms))


def test_a_patient_lost_in_the_first_year_pulls_at_nothing() -> None:
    logits = torch.randn(1, 4, requires_grad=True)
    HEAD.loss(logits, followup([100], [0])).backward()
    assert logits.grad is not None and not logits.grad.any()


def test_years_reach_the_horizon_or_the_last_event() -> None:
    train = followup([300, 2400, 5000], [1, 1, 0])
    head = fit_head(AdditiveHazardHeadConfig(), train, 1826.0)
    assert head.grid == (365.25, 730.5, 1095.75, 1461.0, 1826.0) and head.logits == 6
    assert fit_head(AdditiveHazardHeadConfig(), train, None).grid[-1] == 2400
    assert head_from_state(json.loads(json.dumps(head.state()))) == head
    with pytest.raises(UndefinedMetricError, match="ends of its years"):
        head.survival(torch.zeros(1, 6), (500.0,))
