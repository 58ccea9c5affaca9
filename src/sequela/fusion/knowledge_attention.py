"""A few queries meet many patches: exact attention in the form that needs the fewest products.

Where heads times queries are fewer than the width, the key and value projections are folded into
the queries: a score is (q Wkᵀ) x, and what is gathered is first the weighted mean of x and then
projected; nothing of the width of the model is computed for a patch. Otherwise patches are
projected, as in textbooks. Both say the same.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor, nn

from sequela.fusion.gathering import HELD, NEVER, gather, scores_of

FEW = 1024
"""Values that are always projected: fewer operations matter more than fewer products."""


class FoldedAttention(nn.Module):
    """Multi-head attention of few queries over many values, equal to the plain form.

    Args:
        dim: Width of queries and of what comes out.
        feature: Width of the values.
        heads: Attention heads.
    """

    def __init__(self, dim: int, feature: int, heads: int) -> None:
        super().__init__()
        self.heads, self.width = heads, dim // heads
        self.query = nn.Linear(dim, dim)
        # A bias of the keys would add the same to all scores of a query; one of the values would
        # add the same to all that is gathered, which the bias of what comes out does.
        self.key = nn.Linear(feature, dim, bias=False)
        self.value = nn.Linear(feature, dim, bias=False)
        self.out = nn.Linear(dim, dim)

    def forward(
        self,
        queries: Float[Tensor, "patient query dim"],
        values: Float[Tensor, "patient patch feature"],
        mask: Bool[Tensor, "patient patch"],
        sought: Float[Tensor, "patient query feature"] | None = None,
        adapter: nn.Linear | None = None,
    ) -> Float[Tensor, "patient query dim"]:
        """What each query gathers; without meaning for a patient without values.

        Args:
            queries: Who asks.
            values: What answers.
            mask: Which of them are there.
            sought: What a query looks for, in the values' own space; its product with a value is
                added to their score.
            adapter: What values pass first, with a ReLU behind it; `feature` is then its width.
        """
        as_they_are = sought is None and adapter is None
        if as_they_are and self.projects(queries.shape[1], values):
            return self.plain(queries, values, mask[:, None])
        folded = self._seeking(queries, sought)
        found = gather(rearrange(folded, "p q h f -> p (q h) f"), values, mask, adapter)
        by_head = rearrange(found, "p (q h) f -> h (p q) f", h=self.heads)
        weight = rearrange(self.value.weight, "(h w) f -> h f w", h=self.heads)
        gathered = rearrange(by_head @ weight, "h (p q) w -> p q (h w)", p=len(queries))
        out: Tensor = self.out(gathered)
        return out

    def folds(self, count: int) -> bool:
        """Whether so many queries need fewer products with values that nobody projects.

        For a value, scores and what is gathered cost heads x count x feature each; projecting it
        first costs dim x feature, and then dim x count.
        """
        feature, dim = self.key.in_features, self.key.out_features
        return self.heads * count * feature <= dim * (feature + count)

    def projects(self, count: int, values: Float[Tensor, "patient patch feature"]) -> bool:
        """Whether values are projected: where they are few, or it is cheaper and fits."""
        bag = values.shape[1]
        fits = bag * 2 * self.key.out_features <= HELD
        return bag < FEW or (fits and not self.folds(count))

    def plain(
        self,
        queries: Float[Tensor, "patient query dim"],
        values: Float[Tensor, "patient patch feature"],
        shown: Bool[Tensor, "patient #query patch"],
    ) -> Float[Tensor, "patient query dim"]:
        """The same with all values projected.

        Args:
            queries: Who asks.
            values: What answers.
            shown: Which values each query may see; what it gathers without any has no meaning.
        """
        weight = torch.cat([self.key.weight, self.value.weight])
        both = F.linear(values, weight)
        key, value = rearrange(both, "p n (two h w) -> two p h n w", two=2, h=self.heads)
        query = rearrange(self.query(queries), "p q (h w) -> p h q w", h=self.heads)
        closed = query.new_zeros(shown.shape).masked_fill_(~shown, NEVER)[:, None]
        found = F.scaled_dot_product_attention(query, key, value, attn_mask=closed)
        gathered = rearrange(found, "p h q w -> p q (h w)")
        out: Tensor = self.out(gathered)
        return out

    def folded(
        self, queries: Float[Tensor, "patient query dim"]
    ) -> Float[Tensor, "patient query head feature"]:
        """The queries as they meet values that no one has projected."""
        by_head = rearrange(self.query(queries), "p q (h w) -> h (p q) w", h=self.heads)
        scale = 1 / math.sqrt(self.width)
        weight = rearrange(self.key.weight, "(h w) f -> h w f", h=self.heads) * scale
        folded: Tensor = rearrange(by_head @ weight, "h (p q) f -> p q h f", p=len(queries))
        return folded

    def _seeking(self, queries: Tensor, sought: Tensor | None) -> Tensor:
        folded = self.folded(queries)
        return folded if sought is None else folded + sought[:, :, None]

    def weights(
        self,
        queries: Float[Tensor, "patient query dim"],
        values: Float[Tensor, "patient patch feature"],
        mask: Bool[Tensor, "patient patch"],
        sought: Float[Tensor, "patient query feature"] | None = None,
        adapter: nn.Linear | None = None,
    ) -> Float[Tensor, "patient query patch"]:
        """How much each query looks at each value, the mean over heads; zeros without values."""
        folded = rearrange(self._seeking(queries, sought), "p q h f -> p (q h) f")
        met = values if adapter is None else F.relu(adapter(values))
        shares = scores_of(folded, met, mask).softmax(dim=2) * mask[:, None]
        mean: Tensor = rearrange(shares, "p (q h) n -> p q h n", h=self.heads).mean(dim=2)
        return mean
