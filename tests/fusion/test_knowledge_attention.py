"""Folded or projected, attention is the textbook's, in values and gradients."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from sequela.fusion.knowledge_attention import FoldedAttention


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
def attention(monkeypatch: pytest.MonkeyPatch) -> FoldedAttention:
    monkeypatch.setattr("sequela.fusion.knowledge_attention.FEW", 0)
    torch.manual_seed(0)
    return FoldedAttention(dim=16, feature=24, heads=4)


def bags(*sizes: int, feature: int = 24) -> tuple[Tensor, Tensor]:
    torch.manual_seed(1)
    longest = max(sizes)
    mask = torch.arange(longest) < torch.tensor(sizes)[:, None]
    return torch.randn(len(sizes), longest, feature) * mask[:, :, None], mask


@pytest.mark.parametrize(("count", "folds"), [(3, True), (5, False)])
@pytest.mark.parametrize("sizes", [(1,), (7, 1, 0, 5), (9000, 4097)])
def test_it_equals_the_textbook_in_values_and_gradients(
    attention: FoldedAttention, sizes: tuple[int, ...], count: int, folds: bool
) -> None:
    assert attention.folds(count) == folds
    values, mask = bags(*sizes)
    queries = torch.randn(len(sizes), count, 16)
    results = []
    for form in (attention, lambda *inputs: plain(attention, *inputs)):
        q, v = queries.clone().requires_grad_(), values.clone().requires_grad_()
        attention.zero_grad()
        out = form(q, v, mask) * mask.any(dim=1)[:, None, None]
        (out * torch.linspace(-1, 1, out.numel()).view_as(out)).sum().backward()
        weights = [p.grad for p in (attention.key.weight, attention.value.weight)]
        results.append([out, q.grad, v.grad, *(torch.as_tensor(w).clone() for w in weights)])
    for folded, textbook in zip(*results, strict=True):
        torch.testing.assert_close(folded, textbook, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("heads", [1, 4])
def test_an_adapter_is_a_layer_before_it(heads: int) -> None:
    torch.manual_seed(0)
    attention, adapter = FoldedAttention(16, 16, heads), torch.nn.Linear(24, 16)
    values, mask = bags(40, 0, 3)
    queries = torch.randn(3, 5, 16)
    results = []
    for form in (
        attention(queries, values, mask, adapter=adapter),
        plain(attention, queries, torch.relu(adapter(values)), mask),
    ):
        found = form * mask.any(dim=1)[:, None, None]
        weights = [adapter.weight, adapter.bias, attention.key.weight, attention.value.weight]
        results.append([found, *torch.autograd.grad(found.square().sum(), weights)])
    for folded, textbook in zip(*results, strict=True):
        torch.testing.assert_close(folded, textbook, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("count", "held", "projects"), [(3, 2**23, False), (8, 2**23, True), (8, 2**18, False)]
)
def test_a_hundred_thousand_patches_equal_the_textbook(
    monkeypatch: pytest.MonkeyPatch,
    attention: FoldedAttention,
    count: int,
    held: int,
    projects: bool,
) -> None:
    """Also in many chunks, and folded though that is dearer, where projections would not fit."""
    monkeypatch.setattr("sequela.fusion.gathering.HELD", 2**18)
    monkeypatch.setattr("sequela.fusion.knowledge_attention.HELD", held)
    values, mask = bags(100_000)
    assert attention.projects(count, values) == projects
    queries = torch.randn(1, count, 16)
    with torch.no_grad():
        torch.testing.assert_close(
            attention(queries, values, mask),
            plain(attention, queries, values, mask),
            atol=1e-5,
            rtol=1e-5,
        )


def test_weights_are_shares_of_the_patches_that_are_there(attention: FoldedAttention) -> None:
    values, mask = bags(4, 0, 2)
    weights = attention.weights(torch.randn(3, 2, 16), values, mask)
    assert (weights.transpose(1, 2)[~mask] == 0).all()
    torch.testing.assert_close(weights.sum(dim=2), mask.any(dim=1)[:, None].float().expand(-1, 2))
