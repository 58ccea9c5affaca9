"""softmax(q vᵀ) v for values as they are, or behind a ReLU adapter: exact, memory flat in values.

So many scores are held at once and no more. Where all fit, their softmax is kept for the backward
pass; where they do not, values are met chunk by chunk (online softmax, Milakov and Gimelshein 2018)
and the backward pass computes the scores anew (Dao et al., NeurIPS 2022).
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

HELD = 2**23
"""Scores held at once: 32 MiB in single precision."""
PIECE = 2**14
"""Adapted values whose gradients are held at once, or that are held in inference."""
NEVER = -1e30
"""The score of what is not there: finite, so that a row without anything has no NaN."""


def gather(
    queries: Float[Tensor, "patient query width"],
    values: Float[Tensor, "patient patch feature"],
    mask: Bool[Tensor, "patient patch"],
    adapter: nn.Linear | None = None,
    held: int | None = None,
) -> Float[Tensor, "patient query width"]:
    """The mean of the values that each query gathers, by the softmax of its products with them.

    A patient without values gathers the mean of padding, which has no meaning. Gradients are exact.

    Args:
        queries: Already scaled.
        values: What is looked at, and what is gathered.
        mask: Which of them are there.
        adapter: What values pass first, with a ReLU behind it.
        held: How many scores are held at once, `HELD` by default; memory, not the result.
    """
    weight: Tensor | None = None if adapter is None else adapter.weight
    bias: Tensor | None = None if adapter is None else adapter.bias
    kind = queries.device.type
    if torch.is_autocast_enabled(kind):
        half = torch.get_autocast_dtype(kind)
        queries, values = queries.to(half), values.to(half)
        if weight is not None and bias is not None:
            weight, bias = weight.to(half), bias.to(half)
    chunk = max(1, (held or HELD) // max(1, queries.shape[0] * queries.shape[1]))
    with torch.autocast(kind, enabled=False):
        found: Tensor = _Gathered.apply(queries, values, mask, weight, bias, chunk)
    return found


def scores_of(
    queries: Float[Tensor, "patient query width"],
    values: Float[Tensor, "patient patch width"],
    mask: Bool[Tensor, "patient patch"],
) -> Float[Tensor, "patient query patch"]:
    """Products of queries and values; far below all others where there is no value."""
    scores = _times(queries, values.transpose(1, 2))
    return scores.masked_fill_(~mask[:, None], NEVER)


class _Gathered(torch.autograd.Function):
    """What is kept for the backward pass: the weights where all fit, else the log of their sums."""

    @staticmethod
    def forward(
        ctx: Any,
        queries: Tensor,
        values: Tensor,
        mask: Tensor,
        weight: Tensor | None,
        bias: Tensor | None,
        chunk: int,
    ) -> Tensor:
        weights = seen = total = None
        if weight is not None and not any(ctx.needs_input_grad):
            chunk = min(chunk, PIECE)
        if values.shape[1] <= chunk:
            seen = _adapted(values, weight, bias)
            weights = scores_of(queries, seen, mask).softmax(dim=2)
            gathered = _times(weights, seen)
        else:
            gathered, total = _gathered_online(queries, values, mask, weight, bias, chunk)
        seen = None if weight is None else seen
        ctx.save_for_backward(queries, values, mask, weight, bias, gathered, weights, seen, total)
        ctx.chunk = chunk
        return gathered

    @staticmethod
    def backward(ctx: Any, change: Tensor) -> tuple[Tensor | None, ...]:
        queries, values, mask, weight, bias, gathered, weights, seen, total = ctx.saved_tensors
        offset = (change * gathered).sum(dim=2, keepdim=True)
        wanted = ctx.needs_input_grad
        of_values = torch.empty_like(values) if wanted[1] else None
        of_queries = of_weight = of_bias = None
        step = min(ctx.chunk, values.shape[1] if weight is None else PIECE)
        for start in range(0, values.shape[1], step):
            where = slice(start, start + step)
            part = values[:, where]
            met = _adapted(part, weight, bias) if seen is None else seen[:, where]
            if weights is None:
                scores = scores_of(queries, met, mask[:, where]).to(total.dtype)
                shares = scores.sub_(total).exp_().to(queries.dtype)
            else:
                shares = weights[:, :, where]
            of_scores = _times(change, met.transpose(1, 2)).sub_(offset).mul_(shares)
            of_queries = _sum(of_queries, _times(of_scores, met))
            if of_values is None and weight is None:
                continue
            of_met = _times(of_scores.transpose(1, 2), queries)
            of_met += _times(shares.transpose(1, 2), change)
            if weight is not None:
                of_met = of_met.mul_(met > 0)
                flat = of_met.flatten(0, 1)
                of_weight = _sum(of_weight, flat.T @ part.flatten(0, 1))
                of_bias = _sum(of_bias, flat.sum(dim=0))
            if of_values is not None:
                of_values[:, where] = of_met if weight is None else of_met @ weight
        of_queries, of_weight, of_bias = (
            None if one is None else one.to(queries.dtype)
            for one in (of_queries, of_weight, of_bias)
        )
        return of_queries, of_values, None, of_weight, of_bias, None


def _gathered_online(
    queries: Tensor,
    values: Tensor,
    mask: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    chunk: int,
) -> tuple[Tensor, Tensor]:
    """The same chunk by chunk, and the log of each query's sum of exponentials."""
    gathered = queries.new_zeros(
        queries.shape, dtype=torch.promote_types(queries.dtype, torch.float32)
    )
    total = gathered.new_full((*queries.shape[:2], 1), -torch.inf)
    for start in range(0, values.shape[1], chunk):
        where = slice(start, start + chunk)
        met = _adapted(values[:, where], weight, bias)
        scores = scores_of(queries, met, mask[:, where]).to(total.dtype)
        top = scores.amax(dim=2, keepdim=True)
        shares = scores.sub_(top).exp_()
        so_far = torch.logaddexp(total, top + shares.sum(dim=2, keepdim=True).log())
        found = _times(shares.to(met.dtype), met)
        gathered = gathered * (total - so_far).exp() + found * (top - so_far).exp()
        total = so_far
    return gathered.to(queries.dtype), total


def _adapted(values: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    return values if weight is None else F.linear(values, weight, bias).relu_()


def _times(left: Tensor, right: Tensor) -> Tensor:
    """Each patient's product; that of one patient as plain matrices.

    For a batch of one, bfloat16 copies a transposed factor first, ten times the product's cost.
    """
    return (left[0] @ right[0])[None] if len(left) == 1 else left @ right


def _sum(so_far: Tensor | None, more: Tensor) -> Tensor:
    """The sum of pieces, at least in single precision."""
    if so_far is None:
        return more
    return so_far.to(torch.promote_types(so_far.dtype, torch.float32)).add_(more)
