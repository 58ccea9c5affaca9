"""Knowledge-enhanced cross-modal attention: knowledge asks, patches and gene sets answer.

The paper publishes its abstract alone: "guide the network to focus on discriminative and
survival-relevant features from highly redundant modalities". Our reading (docs/design of KEMM):
Z = LN(K + MHA(q = K, k = v = X)) for each modality X; then each asks the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from sequela.fusion.knowledge_attention import FoldedAttention


@dataclass(frozen=True)
class Masked:
    """Tokens of some patients, and which of them each patient has."""

    values: Float[Tensor, "patient token dim"]
    mask: Bool[Tensor, "patient token"]

    def without(self, absent: Bool[Tensor, " patient"]) -> Masked:
        """The same, these patients having none."""
        return replace(self, mask=self.mask & ~absent[:, None])

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

    def forward(self, states: Mapping[str, Masked]) -> dict[str, Masked]:
        """The states after it; a modality alone asks nobody."""
        normed = {
            name: replace(state, values=self.before(state.values)) for name, state in states.items()
        }
        found = {}
        for name, state in states.items():
            values = state.values
            others = [other for key, other in normed.items() if key != name]
            if others:
                of = joined(others)
                answer = self.attention(normed[name].values, of.values, of.mask)
                values = values + self.dropout(answer)
            values = values + self.dropout(self.forward_layer(self.between(values)))
            found[name] = replace(state, values=values)
        return found
