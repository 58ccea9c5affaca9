"""TransMIL against its two algorithms, written token by token."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sequela.fusion.bag_transformer import BagTransformer
from sequela.fusion.kecm import Masked
from sequela.fusion.nystrom import NystromAttention
from sequela.models.transmil import TransMil
from tests.fusion.test_nystrom import along
from tests.models.test_peers import network

DIM, HEADS = 10, 2


def squared(bag: list[Tensor]) -> list[Tensor]:
    """Algorithm 1, step 1: the first patches once more, up to a square number of them."""
    side = math.ceil(math.sqrt(len(bag)))
    return bag + bag[: side**2 - len(bag)]


def nystrom(attention: NystromAttention, tokens: Tensor) -> Tensor:
    """A landmark the mean of two tokens in a row, and six steps to the inverse, head by head."""
    query, key, value = attention.project(tokens).chunk(3, dim=1)
    width, heads = DIM // HEADS, []
    for head in range(HEADS):
        own = slice(head * width, (head + 1) * width)
        q, k, v = query[:, own] / math.sqrt(width), key[:, own], value[:, own]
        few_q, few_k = ((one[0::2] + one[1::2]) / 2 for one in (q, k))
        among = (few_q @ few_k.T).softmax(dim=1)
        z = among.T / (among.sum(dim=1).max() * among.sum(dim=0).max())
        one = torch.eye(len(among), dtype=tokens.dtype)
        for _ in range(6):
            az = among @ z
            z = z @ (13 * one - az @ (15 * one - az @ (7 * one - az))) / 4
        found = (q @ few_k.T).softmax(dim=1) @ z @ (few_q @ k.T).softmax(dim=1) @ v
        assert attention.local is not None
        heads.append(found + along(v[None], attention.local.weight[head : head + 1])[0])
    return F.linear(torch.cat(heads, dim=1), attention.out.weight, attention.out.bias)


def placed(places: nn.ModuleList, tokens: Tensor) -> Tensor:
    """Algorithm 2: each channel by itself through three kernels, which are added, with itself."""
    side = math.isqrt(len(tokens))
    found = tokens.clone()
    for place in places:
        assert isinstance(place, nn.Conv2d)
        reach = place.kernel_size[0] // 2
        for token in range(len(tokens)):
            found[token] += place.bias  # type: ignore[operator]
            for down in range(-reach, reach + 1):
                for right in range(-reach, reach + 1):
                    y, x = token // side + down, token % side + right
                    if 0 <= y < side and 0 <= x < side:
                        kernel = place.weight[:, 0, reach + down, reach + right]
                        found[token] += kernel * tokens[y * side + x]
    return found


@torch.no_grad()
def test_a_bag_passes_the_two_algorithms_of_the_paper() -> None:
    """Seven patches and the first two again are nine, with the class token two a landmark."""
    torch.manual_seed(0)
    module = BagTransformer(DIM, HEADS, dropout=0.1).double().eval()
    first, second = module.attentions
    assert isinstance(first, NystromAttention)
    assert isinstance(second, NystromAttention)
    bag = torch.randn(7, DIM, dtype=torch.float64)
    tokens = torch.stack([module.summary, *squared(list(bag))])
    tokens = tokens + nystrom(first, module.norms[0](tokens))
    tokens = torch.cat([tokens[:1], placed(module.places, tokens[1:])])
    tokens = tokens + nystrom(second, module.norms[1](tokens))
    expected = F.layer_norm(tokens, (DIM,))
    found, states = module(Masked(bag[None], torch.ones((1, 7), dtype=torch.bool)))
    torch.testing.assert_close(found[0], expected[0])
    torch.testing.assert_close(states.values[0], expected[1:8])


def test_sizes_are_the_papers() -> None:
    model = network("transmil")
    assert isinstance(model, TransMil)
    for attention in model.bag.attentions:
        assert isinstance(attention, NystromAttention)
        assert attention.landmarks == 16 // 2
        assert attention.iterations == 6
        assert attention.local is not None
        assert attention.local.weight.shape == (2, 1, 33, 1)
    kernels = [place.kernel_size for place in model.bag.places]
    assert kernels == [(7, 7), (5, 5), (3, 3)]
    patches = torch.randn(4, 12)
    torch.testing.assert_close(model.train().patches(patches), model.eval().patches(patches))
    wide = BagTransformer(256, 8, dropout=0.0)
    assert wide.summary.std().item() == pytest.approx(1.0, abs=0.2)
