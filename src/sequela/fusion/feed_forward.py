"""What tokens become after they have gathered, where nothing goes round it."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


def feed_forward(dim: int, dropout: float) -> nn.Sequential:
    """Norm, two layers, norm, without a residual way, as SurvPath is published.

    Args:
        dim: Width of the tokens.
        dropout: Share of units between the layers that is dropped in training.

    Source: Jaume et al., CVPR 2024.
    """
    return nn.Sequential(
        nn.LayerNorm(dim),
        nn.Linear(dim, dim),
        nn.GELU(),
        nn.Dropout(dropout),
        nn.Linear(dim, dim),
        nn.LayerNorm(dim),
    )


class FeedForwardEach(nn.Module):
    """The same with a network a token, each with weights of its own, under one last norm.

    Args:
        tokens: How many there are.
        dim: Width of the tokens.
        dropout: Share of units between the layers that is dropped in training.

    Source: Song et al., ICML 2024, as their code runs it.
    """

    def __init__(self, tokens: int, dim: int, dropout: float) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(tokens, dim))
        self.shift = nn.Parameter(torch.zeros(tokens, dim))
        self.first, self.second = (
            nn.Parameter(torch.empty(tokens, dim, dim).uniform_(-1, 1) / dim**0.5) for _ in range(2)
        )
        self.first_bias, self.second_bias = (
            nn.Parameter(torch.empty(tokens, dim).uniform_(-1, 1) / dim**0.5) for _ in range(2)
        )
        self.dropout, self.after = nn.Dropout(dropout), nn.LayerNorm(dim)

    def forward(
        self, tokens: Float[Tensor, "patient token dim"]
    ) -> Float[Tensor, "patient token dim"]:
        """What each token becomes."""
        normed = F.layer_norm(tokens, tokens.shape[2:]) * self.scale + self.shift
        hidden = torch.einsum("ptd,tde->pte", normed, self.first) + self.first_bias
        hidden = self.dropout(F.gelu(hidden))
        states = torch.einsum("ptd,tde->pte", hidden, self.second) + self.second_bias
        found: Tensor = self.after(states)
        return found
