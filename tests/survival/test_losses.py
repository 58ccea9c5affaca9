from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from sequela.survival.cox_likelihood import exposure, partial_likelihood
from sequela.survival.losses import cox_loss, discrete_hazard_loss, piecewise_hazard_loss
from sequela.survival.time_bins import TimeBins


@pytest.mark.parametrize("causes", [1, 2, 3])
def test_outcomes_of_one_patient_have_probability_one(causes: int) -> None:
    logits = torch.randn(1, 4, causes, dtype=torch.float64)

    def probability(last_bin: int, event: int) -> Tensor:
        loss = discrete_hazard_loss(logits, torch.tensor([last_bin]), torch.tensor([event]))
        return torch.exp(-loss)

    struck = [probability(last, k + 1) for last in range(4) for k in range(causes)]
    total = torch.stack([*struck, probability(3, 0)]).sum()
    torch.testing.assert_close(total, torch.ones_like(total))


def test_certain_hazards_have_finite_losses_and_gradients() -> None:
    logits = torch.tensor([[80.0, -80.0], [-80.0, 80.0]], requires_grad=True)
    loss = discrete_hazard_loss(logits[:, :, None], torch.tensor([1, 1]), torch.tensor([1, 0]))
    loss.backward()
    assert torch.isfinite(loss)
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()


def test_causes_that_nobody_could_tell_apart_are_one_cause_of_their_summed_odds() -> None:
    logits = torch.randn(6, 4, 2, dtype=torch.float64)
    last, event = torch.randint(0, 4, (6,)), torch.randint(0, 2, (6,))
    joined = logits.logsumexp(dim=2, keepdim=True)
    share = (logits - joined)[torch.arange(6), last, 0] * event
    together = discrete_hazard_loss(joined, last, event) - share.mean()
    torch.testing.assert_close(discrete_hazard_loss(logits, last, event), together)


def test_one_bin_with_a_constant_hazard_is_fitted_by_events_over_exposure() -> None:
    generator = torch.Generator().manual_seed(0)
    time = torch.empty(200).exponential_(0.02, generator=generator)
    event = torch.rand(200, generator=generator) < 0.6
    bins = TimeBins(edges=(), end=100.0)
    exposed = torch.tensor(bins.exposure(time.numpy().astype(float)))
    log_hazard = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    best = torch.log(event.sum() / exposed.sum())
    loss = piecewise_hazard_loss(
        (log_hazard + best).expand(200, 1), exposed, torch.zeros(200, dtype=torch.long), event
    )
    loss.backward()
    torch.testing.assert_close(log_hazard.grad, torch.zeros_like(log_hazard), atol=1e-9, rtol=0)


def test_cutting_a_bin_in_two_with_equal_hazards_changes_nothing() -> None:
    time, event = torch.tensor([3.0, 8.0, 12.0]), torch.tensor([True, False, True])
    losses = []
    for edges in ((5.0,), (2.0, 5.0)):
        bins = TimeBins(edges=edges, end=20.0)
        heights = torch.tensor([0.1, 0.3] if len(edges) == 1 else [0.1, 0.1, 0.3]).log()
        place = torch.tensor(bins.assign(time.numpy().astype(float)))
        exposed = torch.tensor(bins.exposure(time.numpy().astype(float))).float()
        losses.append(
            piecewise_hazard_loss(heights.expand(3, len(edges) + 1), exposed, place, event)
        )
    torch.testing.assert_close(losses[0], losses[1])


def test_the_cox_loss_is_the_partial_likelihood_with_efrons_ties(made: Any) -> None:
    risk, event = made.covariates[:, 0], made.event == 1
    sets = exposure(made.time, event)
    exact = partial_likelihood(risk[:, None], np.ones(1), sets).log_likelihood
    loss = cox_loss(torch.tensor(risk), torch.tensor(made.time), torch.tensor(event))
    assert loss.item() * event.sum() == pytest.approx(-exact, rel=1e-10)
    moved = cox_loss(torch.tensor(risk) + 500, torch.tensor(made.time), torch.tensor(event))
    torch.testing.assert_close(moved, loss)


def test_the_order_of_patients_does_not_matter_to_the_cox_loss(made: Any) -> None:
    risk, time = torch.tensor(made.covariates[:, 0]), torch.tensor(made.time)
    event = torch.tensor(made.event == 1)
    torch.testing.assert_close(
        cox_loss(risk, time, event), cox_loss(risk.flip(0), time.flip(0), event.flip(0))
    )
    assert cox_loss(risk, time, torch.zeros_like(event)).item() == 0.0


def test_torchsurv_has_the_same_likelihoods(shared_reference: Path) -> None:
    folder = shared_reference / "torchsurv"
    cases = [
        *((case, "_efron") for case in json.loads((folder / WITH_TIES).read_text())),
        *((case, "") for case in json.loads((folder / WITHOUT_TIES).read_text())),
    ]
    for case, suffix in cases:
        risk = torch.tensor(case[f"log_hazard{suffix}"][0], dtype=torch.float64)
        event = torch.tensor(case["status"], dtype=torch.bool)
        loss = cox_loss(risk, torch.tensor(case["time"], dtype=torch.float64), event)
        expected = case[f"log_likelihood{suffix}"][0]
        assert -loss.item() * event.sum().item() == pytest.approx(expected, abs=0.02)


WITH_TIES, WITHOUT_TIES = "benchmark_cox_with_ties.json", "benchmark_cox_without_ties.json"
