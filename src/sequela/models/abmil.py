"""ABMIL: a bag to one vector by gated attention (Ilse et al., ICML 2018, eqs. 7 and 9)."""

from __future__ import annotations

from torch import nn

from sequela.fusion.gated_pooling import Bag
from sequela.modalities.batch import Batch
from sequela.models.output import Output
from sequela.models.peer_config import PeerConfig


class Abmil(nn.Module):
    """Gated attention over the patches of slides; for the text-only rival, the fields of a report.

    Args:
        config: What is read, and the width.
        logits: How many numbers the head asks for.

    Source: Ilse et al., ICML 2018, eqs. 7 and 9; their code for the gate's biases. Departures: one
    layer of given features for a network of pixels, and one width (theirs: 500, and 128 the gate).
    """

    def __init__(self, config: PeerConfig, logits: int) -> None:
        super().__init__()
        (self.name,) = config.modalities
        shape = config.known_shape()
        feature = shape.patch if self.name == "slide" else shape.text
        self.bag = Bag(feature, config.dim, config.dropout)
        self.output = nn.Linear(config.dim, logits)

    def forward(self, batch: Batch) -> Output:
        """Logits of each patient, and the vector of the bag."""
        values, mask = batch.measured(self.name)
        vector = self.bag(values, mask)
        return Output(self.output(vector), {self.name: vector}, {self.name: mask.any(dim=1)})
