"""Tokens of one modality gather those of another, every value projected (the plain form)."""

from __future__ import annotations

import math

import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor, nn

from sequela.fusion.kecm import Masked


class CoAttention(nn.Module):
    """softmax(Q Kᵀ / √d) V over several heads (Chen et al., ICCV 2021, eq. 3: one head).

    The code of MCAT and CMTA has biases and one more linear layer, which is folded into the values
    where there is one head; the equation has neither.

    Args:
        dim: Width of queries and values.
        heads: How many ways to look.
        width: Of all heads together, and of what comes out.
    """

    def __init__(self, dim: int, heads: int = 1, width: int | None = None) -> None:
        super().__init__()
        self.heads, width = heads, width or dim
        self.query = nn.Linear(dim, width, bias=False)
        self.key = nn.Linear(dim, width, bias=False)
        self.value = nn.Linear(dim, width, bias=False)

    def forward(self, queries: Masked, values: Masked) -> Masked:
        """What each query gathers; a patient without values gathers zeros, which are masked."""
        query, key, value = (
            rearrange(made, "p t (h w) -> p h t w", h=self.heads)
            for made in (
                self.query(queries.values),
                self.key(values.values),
                self.value(values.values),
            )
        )
        gathered = F.scaled_dot_product_attention(query, key, value, attn_mask=_shown(values.mask))
        there = values.mask.any(dim=1, keepdim=True)
        joined = rearrange(gathered, "p h t w -> p t (h w)") * there[:, :, None]
        return Masked(joined, queries.mask & there)

    def weights(self, queries: Masked, values: Masked) -> Float[Tensor, "patient query value"]:
        """How much each query looks at each value, the mean over heads; zeros without values."""
        query, key = (
            rearrange(made, "p t (h w) -> p h t w", h=self.heads)
            for made in (self.query(queries.values), self.key(values.values))
        )
        scores = query @ key.transpose(2, 3) / math.sqrt(query.shape[-1])
        shares = scores.masked_fill(~values.mask[:, None, None], -math.inf).softmax(dim=3)
        mean: Tensor = shares.nan_to_num(0.0).mean(dim=1)
        return mean


def _shown(mask: Bool[Tensor, "patient value"]) -> Bool[Tensor, "patient 1 1 value"] | None:
    """The mask as attention takes it; a patient without values looks at padding, to no effect."""
    if bool(mask.all()):
        return None
    return (mask | ~mask.any(dim=1, keepdim=True))[:, None, None]
