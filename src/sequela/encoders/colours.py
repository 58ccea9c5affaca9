"""Patch features that need no weights: colours and texture, to try things out with."""

from __future__ import annotations

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
_STEPS = (1, 4, 16)


class ColourFeatures(nn.Module):
    """Of each colour its quantiles, and how much it changes over 1, 4 and 16 pixels."""

    width = 3 * (len(_QUANTILES) + 2 * len(_STEPS))

    def forward(
        self, tiles: UInt8[Tensor, "patch height width 3"]
    ) -> Float[Tensor, "patch feature"]:
        """One vector a tile."""
        pixels = tiles.to(torch.float32) / 255
        flat = pixels.flatten(1, 2)
        quantiles = torch.tensor(_QUANTILES, device=tiles.device)
        parts = [torch.quantile(flat, quantiles, dim=1).transpose(0, 1).flatten(1)]
        for step in _STEPS:
            for axis in (1, 2):
                size = pixels.shape[axis]
                apart = min(step, size - 1)
                change = pixels.narrow(axis, apart, size - apart) - pixels.narrow(
                    axis, 0, size - apart
                )
                parts.append(change.abs().mean(dim=(1, 2)))
        return torch.cat(parts, dim=1)
