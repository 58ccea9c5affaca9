"""A bag as a mixture of Gaussians about prototypes: how many, where, how spread (PANTHER)."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def mixture_of(
    bag: Float[Tensor, "patient patch feature"],
    mask: Bool[Tensor, "patient patch"],
    prototypes: Float[Tensor, "prototype feature"],
) -> Float[Tensor, "patient prototype summary"]:
    """Share, mean and variance of each component after one step of expectation-maximisation.

    It starts from equal shares, the prototypes as means and variance 1. A component that no patch
    is near keeps its prototype and variance 1; an empty bag gives zeros.

    Returns:
        The share, the mean and the diagonal of the covariance, side by side.

    Source: Song et al., CVPR 2024, eqs. 3-5.
    """
    # Of the squared distance, what does not differ between components needs no part.
    near = bag @ prototypes.T - prototypes.square().sum(dim=1) / 2
    belongs = near.softmax(dim=2) * mask[:, :, None]
    mass = belongs.sum(dim=1)[:, :, None]
    mean = (belongs.transpose(1, 2) @ bag + _WEIGHT * prototypes) / (mass + _WEIGHT)
    square = belongs.transpose(1, 2) @ bag.square()
    prior = _WEIGHT * (1 + prototypes.square())
    variance = (square + prior) / (mass + _WEIGHT) - mean.square()
    share = mass / mass.sum(dim=1, keepdim=True).clamp(min=1)
    there = mask.any(dim=1)[:, None, None]
    return torch.cat([share, mean, variance.clamp(min=0)], dim=2) * there


_WEIGHT = 1e-3
"""Patches that a prototype counts as, so that a component without any is defined."""


def prototypes_of(
    patches: Float[Tensor, "patch feature"], count: int, rounds: int = 20
) -> Float[Tensor, "prototype feature"]:
    """Means of clusters of patches (Lloyd's k-means, seeded farthest first).

    Raises:
        ValueError: If there are fewer patches than prototypes.
    """
    if len(patches) < count:
        raise ValueError(f"{count} prototypes need as many patches, got {len(patches)}")
    centres = patches.mean(dim=0, keepdim=True)
    nearest = torch.full((len(patches),), torch.inf)
    for _ in range(count):
        nearest = torch.minimum(nearest, (patches - centres[-1]).square().sum(dim=1))
        centres = torch.cat([centres, patches[nearest.argmax()][None]])
    centres = centres[1:]
    for _ in range(rounds):
        own = torch.cdist(patches, centres).argmin(dim=1)
        size = torch.bincount(own, minlength=count)[:, None]
        total = torch.zeros_like(centres).index_add(0, own, patches)
        centres = torch.where(size > 0, total / size.clamp(min=1), centres)
    return centres
