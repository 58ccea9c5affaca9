"""Networks of all tokens at once are a network a token."""

from __future__ import annotations

import torch
from torch import nn

from sequela.fusion.feed_forward import FeedForwardEach, feed_forward

TOKENS, DIM = 3, 4


def test_networks_at_once_are_a_network_a_token() -> None:
    torch.manual_seed(0)
    together = FeedForwardEach(TOKENS, DIM, dropout=0.0)
    nn.init.normal_(together.scale)
    nn.init.normal_(together.shift)
    tokens = torch.randn(5, TOKENS, DIM)
    for place in range(TOKENS):
        alone = feed_forward(DIM, dropout=0.0)
        norm, first, second = alone[0], alone[1], alone[4]
        for layer, weight, bias in (
            (norm, together.scale, together.shift),
            (first, together.first.transpose(1, 2), together.first_bias),
            (second, together.second.transpose(1, 2), together.second_bias),
        ):
            layer.weight = nn.Parameter(weight[place].detach())
            layer.bias = nn.Parameter(bias[place].detach())
        torch.testing.assert_close(together(tokens)[:, place], alone(tokens[:, place]))
