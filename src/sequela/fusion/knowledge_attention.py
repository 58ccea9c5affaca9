"""A few queries meet many patches: exact attention, its memory flat in the number of patches.

The key and value projections are folded into the queries: a score is (q Wkᵀ) x, and what is
gathered is first the weighted mean of x and then projected. So nothing of the width of a model is
ever computed for a patch, and scores exist for a chunk of patches at a time (online softmax,
Milakov and Gimelshein 2018; the backward pass computes them anew, Dao et al., NeurIPS 2022).
"""

from __future__ import annotations

import math
from typing import Any

import torch
from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor, nn

CHUNK = 4096
"""Patches whose scores are held at once."""


class _Gathered(torch.autograd.Function):
    """softmax(q xᵀ) x, chunk by chunk in both directions."""

    @staticmethod
    def forward(ctx: Any, queries: Tensor, values: Tensor, mask: Tensor, chunk: int) -> Tensor:
        patients, count, width = queries.shape
        top = queries.new_full((patients, count, 1), -torch.inf)
        total = queries.new_zeros((patients, count, 1))
        gathered = queries.new_zeros((patients, count, width))
        for start in range(0, values.shape[1], chunk):
            part = values[:, start : start + chunk]
            scores = _scores(queries, part, mask[:, start : start + chunk])
            higher = torch.maximum(top, scores.amax(dim=2, keepdim=True))
            # Where nothing was seen yet both are -inf, and nothing is to be rescaled.
            rescale = torch.exp(top - higher).nan_to_num(0.0)
            weights = scores.sub_(higher.clamp(min=-1e30)).exp_()
            total = total * rescale + weights.sum(dim=2, keepdim=True)
            gathered = torch.baddbmm(gathered * rescale, weights, part)
            top = higher
        seen = total > 0
        gathered = torch.where(seen, gathered / total, 0.0)
        log_total = torch.where(seen, top + total.log(), torch.inf)
        ctx.save_for_backward(queries, values, mask, gathered, log_total)
        ctx.chunk = chunk
        return gathered

    @staticmethod
    def backward(ctx: Any, change: Tensor) -> tuple[Tensor, Tensor | None, None, None]:
        queries, values, mask, gathered, log_total = ctx.saved_tensors
        offset = (change * gathered).sum(dim=2, keepdim=True)
        of_queries = torch.zeros_like(queries)
        of_values = torch.zeros_like(values) if ctx.needs_input_grad[1] else None
        for start in range(0, values.shape[1], ctx.chunk):
            where = slice(start, start + ctx.chunk)
            part = values[:, where]
            weights = _scores(queries, part, mask[:, where]).sub_(log_total).exp_()
            of_scores = (change @ part.transpose(1, 2)).sub_(offset).mul_(weights)
            of_queries = torch.baddbmm(of_queries, of_scores, part)
            if of_values is not None:
                of_values[:, where] = of_scores.transpose(1, 2) @ queries
                of_values[:, where] += weights.transpose(1, 2) @ change
        return of_queries, of_values, None, None


def _scores(queries: Tensor, values: Tensor, mask: Tensor) -> Tensor:
    scores = queries @ values.transpose(1, 2)
    return scores.masked_fill_(~mask[:, None], -torch.inf)


def gather(
    queries: Float[Tensor, "patient query feature"],
    values: Float[Tensor, "patient patch feature"],
    mask: Bool[Tensor, "patient patch"],
    chunk: int = CHUNK,
) -> Float[Tensor, "patient query feature"]:
    """The mean of the values that each query gathers, by the softmax of its products with them.

    Zeros for a patient who has none. Gradients are exact.

    Args:
        queries: Already scaled.
        values: What is looked at, and what is gathered.
        mask: Which of them are there.
        chunk: How many are looked at at once; it changes memory, not the result.
    """
    found: Tensor = _Gathered.apply(queries, values, mask, chunk)
    return found


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
        # A bias of the keys would add the same to all scores of a query.
        self.key = nn.Linear(feature, dim, bias=False)
        self.value = nn.Linear(feature, dim)
        self.out = nn.Linear(dim, dim)

    def forward(
        self,
        queries: Float[Tensor, "patient query dim"],
        values: Float[Tensor, "patient patch feature"],
        mask: Bool[Tensor, "patient patch"],
        sought: Float[Tensor, "patient query feature"] | None = None,
    ) -> Float[Tensor, "patient query dim"]:
        """What each query gathers; zeros for a patient without values.

        Args:
            queries: Who asks.
            values: What answers.
            mask: Which of them are there.
            sought: What a query looks for, in the values' own space; its product with a value is
                added to their score.
        """
        folded = self._seeking(queries, sought)
        found = gather(rearrange(folded, "p q h f -> p (q h) f"), values, mask)
        by_head = rearrange(found, "p (q h) f -> p q h f", h=self.heads)
        weight = rearrange(self.value.weight, "(h w) f -> h f w", h=self.heads)
        gathered = torch.einsum("pqhf,hfw->pqhw", by_head, weight).flatten(2) + self.value.bias
        out: Tensor = self.out(gathered)
        return out * mask.any(dim=1)[:, None, None]

    def folded(
        self, queries: Float[Tensor, "patient query dim"]
    ) -> Float[Tensor, "patient query head feature"]:
        """The queries as they meet values that no one has projected."""
        by_head = rearrange(self.query(queries), "p q (h w) -> p q h w", h=self.heads)
        weight = rearrange(self.key.weight, "(h w) f -> h w f", h=self.heads)
        return torch.einsum("pqhw,hwf->pqhf", by_head, weight) / math.sqrt(self.width)

    def _seeking(self, queries: Tensor, sought: Tensor | None) -> Tensor:
        folded = self.folded(queries)
        return folded if sought is None else folded + sought[:, :, None]

    def weights(
        self,
        queries: Float[Tensor, "patient query dim"],
        values: Float[Tensor, "patient patch feature"],
        mask: Bool[Tensor, "patient patch"],
        sought: Float[Tensor, "patient query feature"] | None = None,
    ) -> Float[Tensor, "patient query patch"]:
        """How much each query looks at each value, the mean over heads; zeros without values."""
        folded = rearrange(self._seeking(queries, sought), "p q h f -> p (q h) f")
        scores = _scores(folded, values, mask)
        weights = scores.softmax(dim=2).nan_to_num(0.0)
        return rearrange(weights, "p (q h) n -> p q h n", h=self.heads).mean(dim=2)
