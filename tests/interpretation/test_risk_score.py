"""The score that explanations take apart orders patients as risk does, and never flattens."""

from __future__ import annotations

import pytest
import torch

from sequela.interpretation.risk_score import risk_score
from sequela.models.heads import (
    BinaryHead,
    CoxHead,
    DiscreteHazardHead,
    Head,
    PiecewiseHazardHead,
)
from sequela.survival.time_bins import TimeBins

BINS = TimeBins((100.0,), 1000.0)
HEADS: list[Head] = [
    BinaryHead(500.0),
    DiscreteHazardHead(BINS, None),
    DiscreteHazardHead(BINS, 1000.0),
    DiscreteHazardHead(BINS, 1000.0, ((1,), (2,))),
    PiecewiseHazardHead(BINS, None, (700.0,)),
    PiecewiseHazardHead(BINS, 1000.0, (700.0,)),
    CoxHead(None),
]


@pytest.mark.parametrize("head", HEADS)
def test_the_score_orders_patients_as_risk_does(head: Head) -> None:
    logits = torch.randn(20, head.logits)
    order = risk_score(head)(logits).argsort()
    assert torch.equal(order, head.risk(logits.double()).argsort())


@pytest.mark.parametrize("head", [head for head in HEADS if head.logits < 4])
def test_a_patient_at_high_risk_still_has_a_gradient(head: Head) -> None:
    logits = torch.full((1, head.logits), 8.0, requires_grad=True)
    risk_score(head)(logits).sum().backward()
    assert logits.grad is not None
    assert 0.05 < logits.grad.sum().item() < 3
