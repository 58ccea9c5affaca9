"""TransMIL: the patches of a bag among themselves (Shao et al., NeurIPS 2021)."""

from __future__ import annotations

from torch import nn

from sequela.fusion.bag_transformer import BagTransformer
from sequela.fusion.gated_pooling import adapter
from sequela.fusion.kecm import Masked
from sequela.modalities.batch import Batch
from sequela.models.output import Output
from sequela.models.peer_config import PeerConfig


class TransMil(nn.Module):
    """Correlated patches: approximate self-attention, and a place in a square for each.

    Args:
        config: The widths.
        logits: How many numbers the head asks for.

    Source: Shao et al., NeurIPS 2021, algorithms 1 and 2, and their code. Departures: stretches of
    landmarks (see `NystromAttention`); the width there is 512, and a tenth of what attention
    gathers is dropped.
    """

    def __init__(self, config: PeerConfig, logits: int) -> None:
        super().__init__()
        self.patches = adapter(config.known_shape().patch, config.dim, 0.0)
        self.bag = BagTransformer(config.dim, config.heads, config.dropout)
        self.output = nn.Linear(config.dim, logits)

    def forward(self, batch: Batch) -> Output:
        """Logits of each patient, and the vector of the bag."""
        patches, mask = batch.measured("slide")
        vector, _ = self.bag(Masked(self.patches(patches), mask))
        return Output(self.output(vector), {"slide": vector}, {"slide": mask.any(dim=1)})
