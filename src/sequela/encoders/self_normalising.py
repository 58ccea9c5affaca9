"""Dense layers that keep mean 0 and variance 1 by themselves (Klambauer et al., NeurIPS 2017)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import nn


def self_normalising(
    widths: Sequence[int], dropout: float, activation: type[nn.Module] = nn.SELU
) -> nn.Sequential:
    """Linear-SELU-alpha dropout for each pair of widths, weights of variance 1 / fan-in (eq. 2).

    Args:
        widths: Of what goes in, and of every layer.
        dropout: Share of units dropped in training.
        activation: ELU where a rival publishes it under this name: it normalises nothing by itself.
    """
    layers: list[nn.Module] = []
    for wide, narrow in pairwise(widths):
        linear = nn.Linear(wide, narrow)
        nn.init.normal_(linear.weight, std=wide**-0.5)
        nn.init.zeros_(linear.bias)
        layers += [linear, activation(), nn.AlphaDropout(dropout)]
    return nn.Sequential(*layers)
