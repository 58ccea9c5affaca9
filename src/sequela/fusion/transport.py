"""Tokens gather others by an optimal transport plan, which is of the bag as a whole (MOTCat)."""

from __future__ import annotations

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from sequela.fusion.kecm import Masked

_ENTROPY, _MARGINALS, _ITERATIONS = 0.1, 0.5, 20
"""The first two are the published code's (0.05 for two of its five cohorts); after 20 iterations
a plan is within a thousandth of where it ends."""


class TransportAttention(nn.Module):
    """What each query gathers of the values under the plan.

    The cost is the squared distance of tokens above their own least channel, by the largest of a
    patient. The plan is not differentiated: gradients pass through what it gathers.

    Args:
        entropy: How smooth the plan is.
        marginals: How strictly uniform its marginals are; infinity for exactly.
        iterations: Sinkhorn's.

    Source: Xu and Chen, ICCV 2023, eqs. 4-8, and their code. Departures: the plan is of the whole
    bag, for which micro-batches of patches are the paper's stand-in; and it is multiplied by the
    number of queries, so that hundreds do not gather next to nothing (the paper has six).
    """

    def __init__(
        self,
        entropy: float = _ENTROPY,
        marginals: float = _MARGINALS,
        iterations: int = _ITERATIONS,
    ) -> None:
        super().__init__()
        self.entropy, self.marginals, self.iterations = entropy, marginals, iterations

    def forward(self, queries: Masked, values: Masked) -> Masked:
        """What each query gathers; a patient without values gathers zeros, which are masked."""
        with torch.no_grad():
            shares = self.weights(queries, values)
        there = values.mask.any(dim=1, keepdim=True)
        return Masked(shares @ values.values, queries.mask & there)

    def weights(self, queries: Masked, values: Masked) -> Float[Tensor, "patient query value"]:
        """What each query takes of each value: the plan, times the number of queries."""
        both = queries.mask[:, :, None] & values.mask[:, None]
        cost = torch.cdist(_risen(queries), _risen(values)).square() * both
        cost = cost / cost.amax(dim=(1, 2), keepdim=True).clamp(min=1e-12)
        plan = transport(
            cost, queries.mask, values.mask, self.entropy, self.marginals, self.iterations
        )
        return plan * queries.mask.sum(dim=1)[:, None, None]


def _risen(tokens: Masked) -> Float[Tensor, "patient token dim"]:
    """Each token above its least channel."""
    return tokens.values - tokens.values.amin(dim=2, keepdim=True)


def transport(
    cost: Float[Tensor, "patient query value"],
    rows: Bool[Tensor, "patient query"],
    columns: Bool[Tensor, "patient value"],
    entropy: float,
    marginals: float,
    iterations: int,
) -> Float[Tensor, "patient query value"]:
    """The plan of least cost between uniform masses, smoothed by entropy; zeros where masked.

    Args:
        cost: Of moving a unit.
        rows: Which queries there are.
        columns: Which values there are.
        entropy: Weight of the plan's negative entropy.
        marginals: Weight of the divergence of its marginals from uniform; infinity for equality.
        iterations: How often rows and columns are scaled in turn.

    Source: Cuturi 2013; Chizat et al. 2018, algorithm 1 (scaling to the power m / (m + e)).
    """
    power = 1.0 if math.isinf(marginals) else marginals / (marginals + entropy)
    kernel = -cost / entropy
    log_rows, log_columns = _uniform(rows).to(cost), _uniform(columns).to(cost)
    right = torch.zeros_like(log_columns)
    left = torch.zeros_like(log_rows)
    for _ in range(iterations):
        left = power * (log_rows - (kernel + right[:, None]).logsumexp(dim=2))
        right = power * (log_columns - (kernel + left[:, :, None]).logsumexp(dim=1))
    plan = (kernel + left[:, :, None] + right[:, None]).exp()
    # Of a patient without rows or columns nothing is defined, and nothing is moved.
    return torch.where(rows[:, :, None] & columns[:, None], plan, 0.0)


def _uniform(mask: Bool[Tensor, "patient item"]) -> Float[Tensor, "patient item"]:
    """The log of equal masses that sum to one; what is masked has none."""
    mass = mask.double() / mask.sum(dim=1, keepdim=True).clamp(min=1)
    return mass.log()
