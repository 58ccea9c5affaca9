"""What tokens become after they have gathered, where nothing goes round it."""

from __future__ import annotations

from torch import nn


def feed_forward(dim: int, dropout: float) -> nn.Sequential:
    """Norm, two layers, norm, without a residual way, as SurvPath and MMP are published.

    Args:
        dim: Width of the tokens.
        dropout: Share of units between the layers that is dropped in training.

    Source: Jaume et al., CVPR 2024; Song et al., ICML 2024.
    """
    return nn.Sequential(
        nn.LayerNorm(dim),
        nn.Linear(dim, dim),
        nn.GELU(),
        nn.Dropout(dropout),
        nn.Linear(dim, dim),
        nn.LayerNorm(dim),
    )
