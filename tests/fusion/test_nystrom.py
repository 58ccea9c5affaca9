"""Laws of the attention among many tokens through a few landmarks."""

from __future__ import annotations

import itertools
import math

import torch
from einops import rearrange
from torch import Tensor

from sequela.fusion.nystrom import NystromAttention, pseudo_inverse


def exact(attention: NystromAttention, tokens: Tensor) -> Tensor:
    """The plain form, every token with every other."""
    query, key, value = rearrange(
        attention.project(tokens), "n (k h w) -> k h n w", k=3, h=attention.heads
    )
    shares = (query @ key.transpose(1, 2) / math.sqrt(query.shape[2])).softmax(dim=2)
    gathered = shares @ value
    if attention.local is not None:
        gathered = gathered + along(value, attention.local.weight)
    joined: Tensor = attention.out(rearrange(gathered, "h n w -> n (h w)"))
    return joined


def along(value: Tensor, kernels: Tensor) -> Tensor:
    """Each head's kernel of 33 over all of its channels, token by token."""
    found = torch.zeros_like(value)
    for head, token in itertools.product(range(len(value)), range(value.shape[1])):
        for step in range(-16, 17):
            if 0 <= token + step < value.shape[1]:
                found[head, token] += kernels[head, 0, 16 + step, 0] * value[head, token + step]
    return found


def test_with_as_many_landmarks_as_tokens_it_is_exact() -> None:
    torch.manual_seed(0)
    attention = NystromAttention(16, heads=2, landmarks=40, iterations=40).double()
    tokens = 4 * torch.randn(12, 16, dtype=torch.float64)
    torch.testing.assert_close(attention(tokens), exact(attention, tokens), atol=1e-5, rtol=1e-4)


def test_more_landmarks_come_nearer_to_exact_attention() -> None:
    torch.manual_seed(0)
    # Tokens that change slowly along the bag, as patches of neighbouring tissue do.
    steps = torch.linspace(0, 6, 257)[:, None] * torch.rand(16) + 6 * torch.rand(16)
    tokens = 2 * steps.sin()
    far = []
    for landmarks in (2, 8, 32, 128):
        torch.manual_seed(1)
        attention = NystromAttention(16, heads=2, landmarks=landmarks, local=False)
        with torch.no_grad():
            wanted = exact(attention, tokens)
            spread = (wanted - wanted.mean(dim=0)).norm()
            far.append(float((attention(tokens) - wanted).norm() / spread))
    assert far[1] < far[0]
    assert far[2] < 0.05
    assert far[3] < 0.05


def test_the_pseudo_inverse_is_that_of_the_singular_values() -> None:
    torch.manual_seed(0)
    matrix = (3 * torch.randn(2, 6, 6, dtype=torch.float64)).softmax(dim=2)
    found = pseudo_inverse(matrix, iterations=30)
    torch.testing.assert_close(found, torch.linalg.pinv(matrix))
