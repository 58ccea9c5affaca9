"""Knowledge-enhanced cross-modal attention: knowledge asks, patches and gene sets answer.

The paper publishes its abstract alone: "guide the network to focus on discriminative and
survival-relevant features from highly redundant modalities". Our reading (docs/design of KEMM):
Z = LN(K + MHA(q = K, k = v = X)) for each modality X; then each asks the others.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from sequela.fusion.knowledge_attention import FoldedAttention


@dataclass(frozen=True)
class Masked:
    """Tokens of some patients, and which of them each patient has."""

    values: Float[Tensor, "patient token dim"]
    mask: Bool[Tensor, "patient token"]

    def of(self, shown: Bool[Tensor, " patient"] | None) -> Masked:
        """The same, other patients than these having none; None is everybody."""
        return self if shown is None else replace(self, mask=self.mask & shown[:, None])

    def of_anyone(self) -> tuple[Masked, Int[Tensor, " token"]]:
        """Only the tokens that any patient has, and their places; the others have no effect."""
        places = self.mask.any(dim=0).nonzero().squeeze(1)
        found = Masked(self.values.index_select(1, places), self.mask.index_select(1, places))
        return found, places

    def mean(self) -> Float[Tensor, "patient dim"]:
        """The mean of each patient's tokens; zeros for one without any."""
        count = self.mask.sum(dim=1, keepdim=True).clamp(min=1)
        return torch.einsum("pt,ptd->pd", self.mask.to(self.values), self.values) / count


def joined(tokens: list[Masked]) -> Masked:
    """One row of tokens after the other."""
    return Masked(
        torch.cat([one.values for one in tokens], dim=1),
        torch.cat([one.mask for one in tokens], dim=1),
    )


class Asking(nn.Module):
    """Z = LN(K + MHA(q = K, k = v = X)).

    Args:
        dim: Width of the queries.
        feature: Width of the values.
        heads: Attention heads.
        dropout: Share of what was gathered that is dropped in training.
    """

    def __init__(self, dim: int, feature: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.attention = FoldedAttention(dim, feature, heads)
        self.dropout = nn.Dropout(dropout)
        self.norm = nn.LayerNorm(dim)

    def forward(
        self,
        queries: Masked,
        values: Masked,
        sought: Float[Tensor, "patient query feature"] | None = None,
        adapter: nn.Linear | None = None,
    ) -> Masked:
        """What the queries became; a patient without values has none of them."""
        gathered = self.attention(queries.values, values.values, values.mask, sought, adapter)
        found = self.norm(queries.values + self.dropout(gathered))
        return Masked(found, queries.mask & values.mask.any(dim=1, keepdim=True))


class Exchange(nn.Module):
    """Each modality's tokens ask those of the others, then a feed-forward layer.

    Args:
        dim: Width of the tokens.
        heads: Attention heads.
        dropout: Share of activations dropped in training.
    """

    def __init__(self, dim: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.attention = FoldedAttention(dim, dim, heads)
        self.before, self.between = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.forward_layer = nn.Sequential(
            nn.Linear(dim, 2 * dim), nn.GELU(), nn.Dropout(dropout), nn.Linear(2 * dim, dim)
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Masked, source: Int[Tensor, " token"]) -> Masked:
        """The tokens after it; those of a modality that stands alone ask nobody.

        Args:
            tokens: Of all modalities, side by side.
            source: The modality that each belongs to.
        """
        others = tokens.mask[:, None] & (source[:, None] != source)
        normed = self.before(tokens.values)
        answer = self.attention.plain(normed, normed, others) * others.any(dim=2)[:, :, None]
        values = tokens.values + self.dropout(answer)
        values = values + self.dropout(self.forward_layer(self.between(values)))
        return replace(tokens, values=values)
