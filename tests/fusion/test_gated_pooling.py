"""All groups' pools at once are one pool a group."""

from __future__ import annotations

import math

import torch

from sequela.fusion.gated_pooling import GatedPooling, GroupPooling

DIM, HIDDEN, LENGTHS = 6, 5, (4, 1, 3)


def test_pools_at_once_are_a_pool_a_group_in_values_and_gradients() -> None:
    torch.manual_seed(0)
    together = GroupPooling(len(LENGTHS), DIM, HIDDEN)
    tokens = torch.randn(3, sum(LENGTHS), DIM)
    mask = torch.rand(3, sum(LENGTHS)) < 0.6
    mask[0], mask[1] = False, True
    group = torch.arange(len(LENGTHS)).repeat_interleave(torch.tensor(LENGTHS))
    belongs = mask[:, None] & (group == torch.arange(len(LENGTHS))[:, None])
    found = together(tokens, belongs)
    slope = torch.randn_like(found)
    ours = torch.autograd.grad((found * slope).sum(), [together.gates.weight, together.score])
    weights = ours[0].view(2, len(LENGTHS), HIDDEN, DIM)
    for place in range(len(LENGTHS)):
        alone = pool_of(together, place)
        expected = alone(tokens[:, group == place], mask[:, group == place])
        torch.testing.assert_close(found[:, place], expected)
        (expected * slope[:, place]).sum().backward()
        torch.testing.assert_close(weights[0, place], alone.content.weight.grad)
        torch.testing.assert_close(weights[1, place], alone.gate.weight.grad)
        torch.testing.assert_close(ours[1][place].T, alone.score.weight.grad)
    assert (found[0] == 0).all()


def pool_of(together: GroupPooling, place: int) -> GatedPooling:
    alone = GatedPooling(DIM, HIDDEN)
    weight = together.gates.weight.detach().view(2, len(LENGTHS), HIDDEN, DIM)
    bias = together.gates.bias.detach().view(2, len(LENGTHS), HIDDEN)
    alone.content.weight.data, alone.gate.weight.data = weight[0, place], weight[1, place]
    alone.content.bias.data, alone.gate.bias.data = bias[0, place], bias[1, place]
    alone.score.weight.data = together.score.detach()[place].T
    return alone


def test_shares_are_the_softmax_of_the_gated_scores_token_by_token() -> None:
    """Ilse et al., eq. 9, in plain loops; in training, without gates nothing is preferred."""
    torch.manual_seed(0)
    pool, tokens = GatedPooling(DIM, HIDDEN, dropout=1.0).eval(), torch.randn(1, 4, DIM)
    scores = []
    for token in tokens[0]:
        content, gate = torch.tanh(pool.content(token)), torch.sigmoid(pool.gate(token))
        parts = [pool.score.weight[0, i] * content[i] * gate[i] for i in range(HIDDEN)]
        scores.append(sum(part.item() for part in parts))
    total = sum(math.exp(score) for score in scores)
    expected = torch.tensor([[math.exp(score) / total for score in scores]])
    everything = torch.ones((1, 4), dtype=torch.bool)
    torch.testing.assert_close(pool.weights(tokens, everything), expected)
    assert expected.std() > 1e-3
    even = pool.train().weights(tokens, everything)
    torch.testing.assert_close(even, torch.full((1, 4), 0.25))
