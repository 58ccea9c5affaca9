"""CLAM: attention that must also tell its first patches from its last (Lu et al., 2021).

Nature Biomedical Engineering 5, 555-570; the single branch.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from sequela.fusion.gated_pooling import Bag
from sequela.modalities.batch import Batch
from sequela.models.output import Output
from sequela.models.peer_config import PeerConfig

_MOST = 8
_WEIGHT = 0.3 / 0.7
"""The paper weighs the bag's loss 0.7 and that of its patches 0.3."""


class Clam(nn.Module):
    """Gated attention; the most and the least attended patches are clusters to be told apart.

    The paper has a class of the bag say which classifier of patches learns. Survival has no class
    and a model sees no outcome, so there is one classifier, and cross-entropy for its smooth SVM.

    Args:
        config: The widths.
        logits: How many numbers the head asks for.
    """

    def __init__(self, config: PeerConfig, logits: int) -> None:
        super().__init__()
        self.bag = Bag(config.known_shape().patch, config.dim, config.dropout)
        self.cluster = nn.Linear(config.dim, 1)
        self.output = nn.Linear(config.dim, logits)

    def forward(self, batch: Batch) -> Output:
        """Logits of each patient, the vector of the bag, and in training what clusters ask."""
        patches, mask = batch.measured("slide")
        adapted = self.bag.adapter(patches)
        weights = self.bag.pool.weights(adapted, mask)
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
        """Cross-entropy of the clusters: up to 8 patches, at most half of a bag, from each end."""
        count = (mask.sum(dim=1, keepdim=True) // 2).clamp(max=_MOST)
        order = weights.detach().masked_fill(~mask, -1.0).argsort(dim=1, descending=True)
        place = torch.arange(order.shape[1], device=order.device)
        first = place < count
        last = (place >= mask.sum(dim=1, keepdim=True) - count) & (place < mask.sum(1)[:, None])
        scores: Tensor = self.cluster(adapted).squeeze(2).gather(1, order)
        chosen = first | last
        if not bool(chosen.any()):
            return torch.zeros((), device=scores.device)
        asked = first[chosen].to(scores)
        loss: Tensor = F.binary_cross_entropy_with_logits(scores[chosen], asked)
        return loss
