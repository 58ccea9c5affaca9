"""A set of tokens to one vector: a transformer among them, then gated attention pooling."""

from __future__ import annotations

from torch import Tensor, nn

from sequela.fusion.gated_pooling import GatedPooling
from sequela.fusion.kecm import Masked


class PooledSet(nn.Module):
    """The set-based transformer and pooling of MCAT (Chen et al., ICCV 2021, eqs. 5-7).

    No token has a place, so their order says nothing.

    Args:
        dim: Width of the tokens.
        heads: Attention heads.
        layers: Transformer layers.
        dropout: Share of activations dropped in training.
    """

    def __init__(self, dim: int, heads: int, layers: int, dropout: float) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(dim, heads, 2 * dim, dropout, batch_first=True)
        self.layers = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.pool = GatedPooling(dim, dim, dropout)
        self.out = nn.Sequential(nn.Linear(dim, dim), nn.ReLU(), nn.Dropout(dropout))

    def forward(self, tokens: Masked) -> Tensor:
        """A vector a patient, zeros for one without tokens."""
        there = tokens.mask.any(dim=1, keepdim=True)
        states = self.layers(tokens.values, src_key_padding_mask=~(tokens.mask | ~there))
        vector: Tensor = self.out(self.pool(states, tokens.mask)) * there
        return vector
