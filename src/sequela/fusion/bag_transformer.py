"""A bag as a square picture: a class token, Nyström attention and convolutions (TransMIL)."""

from __future__ import annotations

import math

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from sequela.fusion.kecm import Masked
from sequela.fusion.nystrom import NystromAttention

_KERNELS = (7, 5, 3)


class BagTransformer(nn.Module):
    """The TPT module (Shao et al., NeurIPS 2021, algorithms 1 and 2): attention, PPEG, attention.

    Patches lie in a square in the order in which they come, so this order tells. Bags of unequal
    length make unequal squares: each passes alone.

    Args:
        dim: Width of the tokens.
        heads: Attention heads.
        dropout: Share of what attention gathers that is dropped in training.
        spread: Deviation of the class token before training.
    """

    def __init__(self, dim: int, heads: int, dropout: float, spread: float = 1.0) -> None:
        super().__init__()
        self.summary = nn.Parameter(torch.randn(dim) * spread)
        self.norms = nn.ModuleList(nn.LayerNorm(dim) for _ in range(3))
        self.attentions = nn.ModuleList(NystromAttention(dim, heads, dim // 2) for _ in range(2))
        self.places = nn.ModuleList(
            nn.Conv2d(dim, dim, kernel, padding=kernel // 2, groups=dim) for kernel in _KERNELS
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, bags: Masked) -> tuple[Float[Tensor, "patient dim"], Masked]:
        """The class token's last state, and those of the patches; zeros for an empty bag."""
        here = bags.mask.any(dim=1)
        found = [self._one(bags.values[row, bags.mask[row]]) for row in here.nonzero()[:, 0]]
        summaries, states = torch.zeros_like(bags.values[:, 0]), torch.zeros_like(bags.values)
        if found:
            summaries[here] = torch.stack([one[0] for one in found]).to(summaries)
            states[bags.mask] = torch.cat([one[1:] for one in found]).to(states)
        return summaries, Masked(states, bags.mask)

    def _one(self, bag: Float[Tensor, "patch dim"]) -> Float[Tensor, "token dim"]:
        """States of the class token and of the patches of one bag."""
        count = len(bag)
        side = math.ceil(math.sqrt(count))
        # Algorithm 1: the square is filled with the first patches once more.
        square = torch.cat([bag, bag[: side * side - count]])
        tokens = torch.cat([self.summary[None], square])
        tokens = tokens + self.dropout(self.attentions[0](self.norms[0](tokens)))
        tokens = torch.cat([tokens[:1], self._placed(tokens[1:], side)])
        tokens = tokens + self.dropout(self.attentions[1](self.norms[1](tokens)))
        normed: Tensor = self.norms[2](tokens)[: count + 1]
        return normed

    def _placed(self, tokens: Float[Tensor, "place dim"], side: int) -> Float[Tensor, "place dim"]:
        """The pyramid of convolutions that tells a patch its neighbours (PPEG, algorithm 2)."""
        picture = rearrange(tokens, "(y x) d -> 1 d y x", x=side)
        total = picture + sum(place(picture) for place in self.places)
        placed: Tensor = rearrange(total, "1 d y x -> (y x) d")
        return placed
