"""A self-normalising network against its paper: its formula, its start, its fixed point."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from sequela.encoders.self_normalising import self_normalising

ALPHA, SCALE = 1.6732632423543772, 1.0507009873554805
"""Klambauer et al., eq. 14: what makes mean 0 and variance 1 a fixed point."""


def selu(number: float) -> float:
    return SCALE * (number if number > 0 else ALPHA * (math.exp(number) - 1))


@torch.no_grad()
def test_each_layer_is_a_selu_of_a_weighted_sum_number_by_number() -> None:
    torch.manual_seed(0)
    network = self_normalising((5, 4, 3), dropout=0.5).double().eval()
    values: Tensor = torch.randn(5, dtype=torch.float64)
    state = values.tolist()
    for place in (0, 3):
        layer = network[place]
        assert isinstance(layer, nn.Linear)
        sums = (layer.weight * torch.tensor(state, dtype=torch.float64)).sum(dim=1)
        state = [selu(float(one)) for one in sums]
    assert network(values).tolist() == pytest.approx(state)


@torch.no_grad()
def test_mean_and_variance_stay_through_sixteen_layers_and_under_dropout() -> None:
    """They do not with ELU, which rivals publish under the same name."""
    torch.manual_seed(0)
    values = torch.randn(500, 256)
    deep = self_normalising((256,) * 17, dropout=0.05).train()
    found = deep(values)
    assert found.mean().item() == pytest.approx(0.0, abs=0.1)
    assert found.var().item() == pytest.approx(1.0, abs=0.2)
    elus = self_normalising((256,) * 17, dropout=0.0, activation=nn.ELU)
    assert elus(values).var().item() < 0.5


def test_weights_begin_with_the_variance_of_one_over_what_comes_in_and_no_biases() -> None:
    torch.manual_seed(0)
    first = self_normalising((400, 200), dropout=0.0)[0]
    assert isinstance(first, nn.Linear)
    assert first.weight.var().item() == pytest.approx(1 / 400, rel=0.05)
    assert not first.bias.any()
