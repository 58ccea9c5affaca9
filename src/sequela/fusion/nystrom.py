"""Attention among all tokens of a long bag, approximated through a few landmarks.

Xiong et al., AAAI 2021 (Nyströmformer).
"""

from __future__ import annotations

import math

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

_ITERATIONS = 6
_KERNEL = 33


class NystromAttention(nn.Module):
    """softmax(Q K̃ᵀ) (softmax(Q̃ K̃ᵀ))⁺ softmax(Q̃ Kᵀ) V (eq. 13), with a convolution of the values.

    A landmark is the mean of a stretch of the bag (eq. 12), so the order of tokens tells. With as
    many landmarks as tokens it is exact. Where stretches cannot be of one length, some are a token
    longer; published code puts zeros before the bag, which are then looked at.

    Args:
        dim: Width of the tokens.
        heads: Attention heads.
        landmarks: How many there are, at most one a token.
        local: Whether a convolution of the values along the bag is added, one kernel a head.
        iterations: Of the pseudo-inverse.
    """

    def __init__(
        self,
        dim: int,
        heads: int,
        landmarks: int,
        *,
        local: bool = True,
        iterations: int = _ITERATIONS,
    ) -> None:
        super().__init__()
        self.heads, self.landmarks, self.iterations = heads, landmarks, iterations
        self.project = nn.Linear(dim, 3 * dim, bias=False)
        self.local = (
            nn.Conv2d(
                heads, heads, (_KERNEL, 1), padding=(_KERNEL // 2, 0), groups=heads, bias=False
            )
            if local
            else None
        )
        self.out = nn.Linear(dim, dim)

    def forward(self, tokens: Float[Tensor, "token dim"]) -> Float[Tensor, "token dim"]:
        """What each token of one bag gathers of all."""
        query, key, value = rearrange(
            self.project(tokens), "n (k h w) -> k h n w", k=3, h=self.heads
        )
        query = query / math.sqrt(query.shape[2])
        of_queries, of_keys = self._landmarks(query), self._landmarks(key)
        left = (query @ of_keys.transpose(1, 2)).softmax(dim=2)
        among = (of_queries @ of_keys.transpose(1, 2)).softmax(dim=2)
        middle = pseudo_inverse(among, self.iterations)
        right = (of_queries @ key.transpose(1, 2)).softmax(dim=2)
        gathered = left @ (middle @ (right @ value))
        if self.local is not None:
            gathered = gathered + self.local(value)
        joined: Tensor = self.out(rearrange(gathered, "h n w -> n (h w)"))
        return joined

    def _landmarks(self, tokens: Float[Tensor, "head token width"]) -> Tensor:
        count = tokens.shape[1]
        few = min(self.landmarks, count)
        stretch = torch.arange(count, device=tokens.device) * few // count
        total = tokens.new_zeros((len(tokens), few, tokens.shape[2])).index_add(1, stretch, tokens)
        size = torch.bincount(stretch, minlength=few).to(tokens)
        return total / size[:, None]


def pseudo_inverse(
    matrix: Float[Tensor, "head landmark landmark"], iterations: int
) -> Float[Tensor, "head landmark landmark"]:
    """The Moore-Penrose inverse by an iteration of third order (Xiong et al., eq. 11).

    Each head starts from its own norms, where published code starts all from the largest.
    """
    one = torch.eye(matrix.shape[1], dtype=matrix.dtype, device=matrix.device)
    rows, columns = matrix.abs().sum(dim=2).amax(dim=1), matrix.abs().sum(dim=1).amax(dim=1)
    found = matrix.transpose(1, 2) / (rows * columns)[:, None, None]
    for _ in range(iterations):
        near = matrix @ found
        found = 0.25 * found @ (13 * one - near @ (15 * one - near @ (7 * one - near)))
    return found
