"""Named tokens of a patient to one vector (LUMIN, eq. 10)."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn


class TransformerAggregation(nn.Module):
    """A class token attends to the tokens that a patient has; the others are masked.

    Args:
        dim: Width of the tokens.
        layers: Transformer layers.
        heads: Attention heads a layer.
        dropout: Share of activations that are dropped in training.
    """

    def __init__(self, dim: int, layers: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.summary = nn.Parameter(torch.randn(dim) * 0.02)
        layer = nn.TransformerEncoderLayer(
            dim, heads, 4 * dim, dropout, activation="gelu", batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(dim)

    def forward(
        self, tokens: Float[Tensor, "patient token dim"], mask: Bool[Tensor, "patient token"]
    ) -> Float[Tensor, "patient dim"]:
        """The class token's last state; tokens that nobody here has cost nothing."""
        some = mask.any(dim=0)
        tokens, mask = tokens[:, some], mask[:, some]
        summary = self.summary.expand(len(tokens), 1, -1)
        padding = torch.cat([mask.new_zeros((len(mask), 1)), ~mask], dim=1)
        states = self.layers(torch.cat([summary, tokens], dim=1), src_key_padding_mask=padding)
        vector: Tensor = self.norm(states[:, 0])
        return vector


class MlpAggregation(nn.Module):
    """The tokens side by side through one hidden layer; a masked one is a learned vector.

    Args:
        dim: Width of the tokens.
        tokens: How many there are.
        dropout: Share of activations that are dropped in training.
        complete: True where no token is ever masked, so that nothing is learned for one.
    """

    def __init__(self, dim: int, tokens: int, dropout: float, *, complete: bool) -> None:
        super().__init__()
        self.absent = None if complete else nn.Parameter(torch.randn(tokens, dim) * 0.02)
        self.layers = nn.Sequential(
            nn.Flatten(), nn.Linear(tokens * dim, dim), nn.ReLU(), nn.Dropout(dropout)
        )

    def forward(
        self, tokens: Float[Tensor, "patient token dim"], mask: Bool[Tensor, "patient token"]
    ) -> Float[Tensor, "patient dim"]:
        """The hidden layer's state."""
        if self.absent is not None:
            tokens = torch.where(mask[:, :, None], tokens, self.absent)
        vector: Tensor = self.layers(tokens)
        return vector
