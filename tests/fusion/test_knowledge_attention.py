"""The folded, chunked attention is the plain one, in values and gradients."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from sequela.fusion.knowledge_attention import FoldedAttention, gather


def plain(attention: FoldedAttention, queries: Tensor, values: Tensor, mask: Tensor) -> Tensor:
    """Multi-head attention as it is written in textbooks, a patient at a time."""
    rows = []
    for query, value, there in zip(queries, values, mask, strict=True):
        if not there.any():
            rows.append(torch.zeros_like(query))
            continue
        q, k, v = attention.query(query), attention.key(value[there]), attention.value(value[there])
        heads = []
        for head in range(attention.heads):
            of = slice(head * attention.width, (head + 1) * attention.width)
            scores = q[:, of] @ k[:, of].T / math.sqrt(attention.width)
            heads.append(scores.softmax(dim=1) @ v[:, of])
        rows.append(attention.out(torch.cat(heads, dim=1)))
    return torch.stack(rows)


@pytest.fixture
def attention() -> FoldedAttention:
    torch.manual_seed(0)
    return FoldedAttention(dim=16, feature=24, heads=4)


def bags(*sizes: int, feature: int = 24) -> tuple[Tensor, Tensor]:
    torch.manual_seed(1)
    longest = max(sizes)
    mask = torch.arange(longest) < torch.tensor(sizes)[:, None]
    return torch.randn(len(sizes), longest, feature) * mask[:, :, None], mask


@pytest.mark.parametrize("sizes", [(1,), (7, 1, 0, 5), (9000, 4097)])
def test_it_equals_the_plain_form_in_values_and_gradients(
    attention: FoldedAttention, sizes: tuple[int, ...]
) -> None:
    values, mask = bags(*sizes)
    queries = torch.randn(len(sizes), 5, 16)
    results = []
    for form in (attention, lambda *inputs: plain(attention, *inputs)):
        q, v = queries.clone().requires_grad_(), values.clone().requires_grad_()
        attention.zero_grad()
        out = form(q, v, mask)
        (out * torch.linspace(-1, 1, out.numel()).view_as(out)).sum().backward()
        weights = [p.grad for p in (attention.key.weight, attention.value.weight)]
        results.append([out, q.grad, v.grad, *(torch.as_tensor(w).clone() for w in weights)])
    for folded, textbook in zip(*results, strict=True):
        torch.testing.assert_close(folded, textbook, rtol=1e-4, atol=1e-5)


def test_chunks_change_nothing() -> None:
    values, mask = bags(50, 3)
    queries = torch.randn(2, 4, 24, dtype=torch.float64)
    whole = gather(queries, values.double(), mask, chunk=64)
    torch.testing.assert_close(gather(queries, values.double(), mask, chunk=7), whole)


def test_gradients_are_those_of_differences() -> None:
    values, mask = bags(6, 2, feature=3)
    queries = torch.randn(2, 2, 3, dtype=torch.float64, requires_grad=True)
    inputs = (queries, values.double().requires_grad_(), mask, 4)
    assert torch.autograd.gradcheck(gather, inputs)


def test_a_hundred_thousand_patches_equal_the_plain_form(attention: FoldedAttention) -> None:
    values, mask = bags(100_000)
    queries = torch.randn(1, 3, 16)
    with torch.no_grad():
        torch.testing.assert_close(
            attention(queries, values, mask),
            plain(attention, queries, values, mask),
            atol=1e-5,
            rtol=1e-5,
        )


def test_large_scores_do_not_overflow() -> None:
    values, mask = bags(20)
    found = gather(torch.full((1, 1, 24), 1e3), values * 1e3, mask, chunk=8)
    assert torch.isfinite(found).all()


def test_weights_are_shares_of_the_patches_that_are_there(attention: FoldedAttention) -> None:
    values, mask = bags(4, 0, 2)
    weights = attention.weights(torch.randn(3, 2, 16), values, mask)
    assert (weights.transpose(1, 2)[~mask] == 0).all()
    torch.testing.assert_close(weights.sum(dim=2), mask.any(dim=1)[:, None].float().expand(-1, 2))
