"""Clinical covariates to one vector a patient."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from sequela.modalities.batch import Batch


class ClinicalEncoder(nn.Module):
    """Values and which of them are known, side by side: Linear, LayerNorm, ReLU.

    Args:
        features: How many covariates there are, after scaling and one-hot.
        dim: Width of the vector that comes out.
    """

    def __init__(self, features: int, dim: int) -> None:
        super().__init__()
        self.features = features
        self.project = nn.Sequential(nn.Linear(2 * features, dim), nn.LayerNorm(dim), nn.ReLU())

    def forward(
        self, batch: Batch
    ) -> tuple[Float[Tensor, "patient dim"], Bool[Tensor, " patient"]]:
        """One vector a patient, and who has at least one covariate."""
        if batch.clinical is None or batch.clinical_mask is None:
            known = torch.zeros((len(batch), self.features), device=batch.day.device).bool()
            values = torch.zeros_like(known, dtype=batch.day.dtype)
        else:
            known = batch.clinical_mask
            values = torch.where(known, batch.clinical, 0.0)
        vector: Tensor = self.project(torch.cat([values, known.to(values.dtype)], dim=1))
        return vector, known.any(dim=1)
