"""A straight way from covariates to the logits, its weights a Cox model's.

A network of a few hundred patients does not find again what three covariates say; so that it need
not, they pass it by. What passes: clinical covariates, which of them are unknown, and principal
components of expression.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from sequela.modalities.batch import Batch
from sequela.models.gene_components import principal_directions
from sequela.survival.cox import fit_cox
from sequela.survival.followup import Followup
from sequela.survival.ridge_choice import chosen_ridge


class CoxSkip(nn.Module):
    """The linear predictor of a ridge Cox model, fitted once on training patients.

    Args:
        covariates: How many clinical features there are.
        genes: How many genes; 0 leaves expression out.
        components: Principal components of expression.
        learned: Whether training goes on changing the weights.
    """

    def __init__(self, covariates: int, genes: int, components: int, *, learned: bool) -> None:
        super().__init__()
        self.clinical = covariates > 0
        kept = components if genes else 0
        self.register_buffer("directions", torch.zeros(genes, kept))
        self.register_buffer("centre", torch.zeros(2 * covariates + kept))
        self.weight = nn.Parameter(torch.zeros(2 * covariates + kept), requires_grad=learned)

    directions: Float[Tensor, "gene component"]
    centre: Float[Tensor, " feature"]

    def forward(self, batch: Batch) -> Float[Tensor, " patient"]:
        """The log relative hazard; 0 is the mean training patient."""
        predictor: Tensor = (self.features(batch) - self.centre) @ self.weight
        return predictor

    def features(self, batch: Batch) -> Float[Tensor, "patient feature"]:
        """What passes; an unknown number is its training mean."""
        parts = []
        if self.clinical and batch.clinical is not None and batch.clinical_mask is not None:
            parts += [batch.clinical * batch.clinical_mask, (~batch.clinical_mask).float()]
        if self.directions.numel() and batch.genes is not None and batch.gene_mask is not None:
            parts.append((batch.genes * batch.gene_mask) @ self.directions)
        if not parts:
            return batch.day.new_zeros((len(batch), 0))
        return torch.cat(parts, dim=1)

    @torch.no_grad()
    def fit(self, batch: Batch, followup: Followup, cause: int, ridge: float | None) -> None:
        """Set directions and weights by training patients.

        Args:
            batch: All training patients.
            followup: Theirs.
            cause: The event of interest; others are censored here.
            ridge: Penalty on squared log hazard ratios a standard deviation; None chooses it by
                cross-validation.
        """
        if self.directions.numel() and batch.genes is not None and batch.gene_mask is not None:
            genes = (batch.genes * batch.gene_mask).double()
            found = principal_directions(genes.cpu().numpy(), self.directions.shape[1])
            self.directions.copy_(torch.from_numpy(found))
        features = self.features(batch).double().cpu().numpy()
        varying = np.ptp(features, axis=0) > 0
        if not varying.any():
            return
        seen, struck = features[:, varying], followup.event == cause
        if ridge is None:
            ridge = chosen_ridge(seen, followup.time, struck, entry=followup.entry)
        cox = fit_cox(seen, followup.time, struck, entry=followup.entry, ridge=ridge)
        weight, centre = np.zeros(len(varying)), np.zeros(len(varying))
        weight[varying], centre[varying] = cox.coefficients, cox.centre
        self.weight.copy_(torch.from_numpy(weight))
        self.centre.copy_(torch.from_numpy(centre))
