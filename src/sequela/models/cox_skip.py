"""A straight way from covariates to the logits, its weights a Cox model's.

A network of a few hundred patients does not find again what three covariates say; so that it need
not, they pass it by. What passes: clinical covariates, which of them are unknown, principal
components of expression, and the fields of the structured report.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from sequela.modalities.batch import Batch
from sequela.models.gene_components import principal_directions
from sequela.survival.cox import fit_cox
from sequela.survival.coxnet import fit_coxnet
from sequela.survival.followup import Followup
from sequela.survival.ridge_choice import chosen_ridges

HeadLoss = Callable[[Float[Tensor, "patient logit"]], Float[Tensor, ""]]
_LEVEL_RIDGE = 1e-4
_OF_NET = 30
"""Components that the elastic net may choose among, the widest; as the row `coxnet` reads."""


class CoxSkip(nn.Module):
    """The linear predictor of Cox models, fitted once on training patients.

    Args:
        covariates: How many clinical features there are.
        genes: How many genes; 0 leaves expression out.
        components: Principal components of expression.
        reports: How many numbers a report is turned into; 0 leaves reports out.
        learned: Whether training goes on changing the weights.
        mean: Whether two models are averaged: a ridge on all genes and an elastic net of thirty
            components; otherwise one has a ridge for each modality.
    """

    def __init__(
        self,
        covariates: int,
        genes: int,
        components: int,
        reports: int = 0,
        *,
        learned: bool,
        mean: bool = False,
    ) -> None:
        super().__init__()
        self.clinical, self.reports, self.mean = covariates > 0, reports > 0, mean
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
    def fit(self, batch: Batch, followup: Followup, cause: int, ridge: float | None) -> None:
        """Set directions and weights by training patients.

        Args:
            batch: All training patients.
            followup: Theirs.
            cause: The event of interest; others are censored here.
            ridge: Penalty on squared log hazard ratios a standard deviation; None chooses
                by cross-validation.
        """
        if self.directions.numel() and batch.genes is not None and batch.gene_mask is not None:
            genes = (batch.genes * batch.gene_mask).double()
            found = principal_directions(genes.cpu().numpy(), self.directions.shape[1])
            self.directions.copy_(torch.from_numpy(found))
        features = self.features(batch).double().cpu().numpy()
        varying = np.ptp(features, axis=0) > 0
        if not varying.any():
            return
        told = (followup.time, followup.event == cause)
        weight, centre = np.zeros(len(varying)), features.mean(axis=0)
        if ridge is not None:
            cox = fit_cox(features[:, varying], *told, entry=followup.entry, ridge=ridge)
            weight[varying] = cox.coefficients
        elif not self.mean:
            blocks = self._blocks()[varying]
            ridges = chosen_ridges(features[:, varying], blocks, *told, entry=followup.entry)
            cox = fit_cox(features[:, varying], *told, entry=followup.entry, ridge=ridges)
            weight[varying] = cox.coefficients
        else:
            weight[varying] = self._dense(features[:, varying], varying, told, followup.entry) / 2
            chosen_of = varying & self._widest()
            net = fit_coxnet(features[:, chosen_of], *told, entry=followup.entry)
            weight[chosen_of] += net.coefficients / 2
        self.weight.copy_(torch.from_numpy(weight))
        self.centre.copy_(torch.from_numpy(centre))

    def _dense(
        self,
        seen: Float[np.ndarray, "patient seen"],
        varying: Bool[np.ndarray, " feature"],
        told: tuple[Float[np.ndarray, " patient"], Bool[np.ndarray, " patient"]],
        entry: Float[np.ndarray, " patient"] | None,
    ) -> Float[np.ndarray, " seen"]:
        """Weights under a ridge for each modality; that of genes is on genes, not components."""
        block = self._blocks()
        relative = np.ones(len(block))
        # Components have deviation 1: the less the genes vary along one, the longer it is.
        length = self.directions.double().cpu().numpy()
        relative[block == 1] = np.square(length).sum(axis=0)
        there = varying & (block == 1)
        relative[there] *= (1 / relative[there]).mean() if there.any() else 1.0
        asked = {"entry": entry, "relative": relative[varying]}
        ridges = chosen_ridges(seen, block[varying], *told, **asked)
        return fit_cox(seen, *told, entry=entry, ridge=ridges).coefficients

    def _blocks(self) -> Int[np.ndarray, " feature"]:
        """The modality of each feature."""
        return np.repeat(np.arange(len(self.widths)), self.widths)

    def _widest(self) -> Bool[np.ndarray, " feature"]:
        """All features, of components the first."""
        first = np.arange(sum(self.widths)) - self.widths[0]
        widest: Bool[np.ndarray, " feature"] = (first < _OF_NET) | (first >= self.widths[1])
        return widest


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
