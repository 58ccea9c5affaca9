"""Laws of a bag told by its prototypes."""

from __future__ import annotations

import pytest
import torch

from sequela.fusion.mixture import mixture_of, prototypes_of


def clusters() -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    centres = torch.tensor([[9.0, 0.0, 0.0], [0.0, 9.0, 0.0], [0.0, 0.0, 9.0]])
    own = torch.tensor([0] * 40 + [1] * 30 + [2] * 10)
    return centres, centres[own] + 0.5 * torch.randn(80, 3)


def test_separate_clusters_are_found_with_their_shares_means_and_variances() -> None:
    centres, patches = clusters()
    found = mixture_of(patches[None], torch.ones(1, 80, dtype=torch.bool), centres)[0]
    torch.testing.assert_close(found[:, 0], torch.tensor([0.5, 0.375, 0.125]))
    groups = patches.split([40, 30, 10])
    for row, group in zip(found, groups, strict=True):
        torch.testing.assert_close(row[1:4], group.mean(dim=0), atol=2e-3, rtol=0)
        torch.testing.assert_close(row[4:], group.var(dim=0, correction=0), atol=5e-3, rtol=0)


def test_a_component_that_no_patch_is_near_keeps_its_prototype() -> None:
    centres, patches = clusters()
    found = mixture_of(patches[None, :40], torch.ones(1, 40, dtype=torch.bool), centres)[0]
    torch.testing.assert_close(found[1], torch.tensor([0.0, 0, 9, 0, 1, 1, 1]), atol=1e-4, rtol=0)


def test_prototypes_are_the_means_of_clusters() -> None:
    centres, patches = clusters()
    found = prototypes_of(patches[torch.randperm(80)], 3)
    means = torch.stack([group.mean(dim=0) for group in patches.split([40, 30, 10])])
    order = torch.cdist(centres, found).argmin(dim=1)
    torch.testing.assert_close(found[order], means)
    with pytest.raises(ValueError, match="4 prototypes need as many patches"):
        prototypes_of(patches[:3], 4)
