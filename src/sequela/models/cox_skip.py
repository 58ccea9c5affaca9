"""A straight way from covariates to the logits, its weights a Cox model's.

A network of a few hundred patients does not find again what three covariates say; so that it need
not, they pass it by. What passes: clinical covariates, which of them are unknown, principal
components of expression, and the fields of the structured report.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from sequela.modalities.batch import Batch
from sequela.models.gene_components import OF_NET, principal_directions
from sequela.survival.cox_mean import chosen_mean, fit_cox_mean
from sequela.survival.followup import Followup

HeadLoss = Callable[[Float[Tensor, "patient logit"]], Float[Tensor, ""]]
_LEVEL_RIDGE = 1e-4


class CoxSkip(nn.Module):
    """The mean linear predictor of an elastic net and of a ridge, fitted once in training patients.

    Args:
        covariates: How many clinical features there are.
        genes: How many genes; 0 leaves expression out.
        components: Principal components of expression.
        reports: How many numbers a report is turned into; 0 leaves reports out.
        learned: Whether training goes on changing the weights.
    """

    def __init__(
        self,
        covariates: int,
        genes: int,
        components: int,
        reports: int = 0,
        *,
        learned: bool,
    ) -> None:
        super().__init__()
        self.clinical, self.reports = covariates > 0, reports > 0
        kept = components if genes else 0
        self.widths = (2 * covariates, kept, reports)
        self.register_buffer("directions", torch.zeros(genes, kept))
        self.register_buffer("centre", torch.zeros(sum(self.widths)))
        self.weight = nn.Parameter(torch.zeros(sum(self.widths)), requires_grad=learned)

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
        if self.reports and batch.report_numbers is not None and batch.field_mask is not None:
            parts.append(batch.report_numbers * batch.field_mask.any(dim=1, keepdim=True))
        if not parts:
            return batch.day.new_zeros((len(batch), 0))
        return torch.cat(parts, dim=1)

    @torch.no_grad()
    def fit(self, batch: Batch, followup: Followup, cause: int) -> None:
        """Set directions and weights by training patients.

        Args:
            batch: All training patients.
            followup: Theirs.
            cause: The event of interest; others are censored here.
        """
        if self.directions.numel() and batch.genes is not None and batch.gene_mask is not None:
            genes = (batch.genes * batch.gene_mask).double()
            found = principal_directions(genes.cpu().numpy(), self.directions.shape[1])
            self.directions.copy_(torch.from_numpy(found))
        features = self.features(batch).double().cpu().numpy()
        varying = np.ptp(features, axis=0) > 0
        if not varying.any():
            return
        clinical, kept, reports = self.widths
        lengths = np.linalg.norm(self.directions.double().cpu().numpy(), axis=0)
        block = np.repeat(np.arange(3), self.widths)[varying]
        length = np.concatenate([np.ones(clinical), lengths, np.ones(reports)])[varying]
        component = np.arange(kept) < OF_NET
        few = np.concatenate([np.ones(clinical), component, np.ones(reports)])[varying] > 0
        told = (followup.time, followup.event == cause)
        seen, entry = features[:, varying], followup.entry
        penalties = chosen_mean(seen, block, length, few, *told, entry=entry)
        weight = np.zeros(len(varying))
        weight[varying] = fit_cox_mean(seen, penalties, *told, entry=entry)
        self.weight.copy_(torch.from_numpy(weight))
        self.centre.copy_(torch.from_numpy(features.mean(axis=0)))


def fitted_level(
    loss: HeadLoss, straight: Float[Tensor, "patient logit"]
) -> Float[Tensor, " logit"]:
    """What is added to all patients' logits so that the head's loss of training patients is least.

    With it the first step starts at the training patients' own hazards rather than at logits of 0,
    which mean the crude rate to one head and an even chance a bin to another. The learning rate of
    a few hundred patients would not get there.

    Args:
        loss: Of the training patients' logits.
        straight: What the straight way says of them.
    """
    level = torch.zeros(straight.shape[1], dtype=torch.float64, requires_grad=True)
    fixed = straight.detach().double()
    optimizer = torch.optim.LBFGS([level], max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> float:
        optimizer.zero_grad()
        total = loss(fixed + level) + _LEVEL_RIDGE * level.square().sum()
        total.backward()  # type: ignore[no-untyped-call]
        return total.item()

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    return level.detach().to(straight.dtype)
