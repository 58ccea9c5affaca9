"""CLAM: attention that must also tell its first patches from its last (Lu et al., 2021).

Nature Biomedical Engineering 5, 555-570; the single branch.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from sequela.fusion.gated_pooling import GatedPooling, adapter
from sequela.modalities.batch import Batch
from sequela.models.output import Output
from sequela.models.peer_config import PeerConfig

_MOST = 8
_WEIGHT = 0.3 / 0.7
"""The paper weighs the bag's loss 0.7 and that of its patches 0.3."""


class Clam(nn.Module):
    """Gated attention; the most and the least attended patches are clusters to be told apart.

    Args:
        config: The widths.
        logits: How many numbers the head asks for.

    Source: Lu et al., 2021, "Methods", and their code. Departures: there, a bag's class says which
    classifier of patches learns; survival has none, and a model sees no outcome, so there is one.
    Bags of fewer than 16 patches are halved. The width there is 512.
    """

    def __init__(self, config: PeerConfig, logits: int) -> None:
        super().__init__()
        self.adapter = adapter(config.known_shape().patch, config.dim, config.dropout)
        self.pool = GatedPooling(config.dim, config.dim // 2, config.dropout)
        self.cluster = nn.Linear(config.dim, 1)
        self.output = nn.Linear(config.dim, logits)

    def forward(self, batch: Batch) -> Output:
        """Logits of each patient, the vector of the bag, and in training what clusters ask."""
        patches, mask = batch.measured("slide")
        adapted = self.adapter(patches)
        weights = self.pool.weights(adapted, mask)
        vector = torch.einsum("pn,pnd->pd", weights, adapted)
        penalty = _WEIGHT * self.apart(adapted, weights, mask) if self.training else None
        there = {"slide": mask.any(dim=1)}
        return Output(self.output(vector), {"slide": vector}, there, penalty)

    def apart(
        self,
        adapted: Float[Tensor, "patient patch dim"],
        weights: Float[Tensor, "patient patch"],
        mask: Bool[Tensor, "patient patch"],
    ) -> Float[Tensor, ""]:
        """How badly the clusters are told apart: the mean over bags of more than one patch.

        A bag's loss is the mean over 8 patches from each end of its attention of the smooth top-1
        SVM loss, temperature and margin 1, which for two classes is a softplus (Berrada et al.,
        ICLR 2018).
        """
        size = mask.sum(dim=1, keepdim=True)
        count = (size // 2).clamp(max=_MOST)
        order = weights.detach().masked_fill(~mask, -1.0).argsort(dim=1, descending=True)
        place = torch.arange(order.shape[1], device=order.device)
        first, last = place < count, (place >= size - count) & (place < size)
        scores: Tensor = self.cluster(adapted).squeeze(2).gather(1, order)
        wrong = F.softplus(1 - torch.where(first, scores, -scores)) * (first | last)
        bags = wrong.sum(dim=1) / (2 * count[:, 0]).clamp(min=1)
        return bags.sum() / (count > 0).sum().clamp(min=1)
