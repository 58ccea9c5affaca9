"""Late fusion of whatever a patient has: a network a modality, the mean of their logits."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sequela.encoders.self_normalising import self_normalising
from sequela.fusion.gated_pooling import Bag
from sequela.modalities.batch import Batch
from sequela.models.gene_tokens import genes_in_a_row, has_genes
from sequela.models.output import Output
from sequela.models.peer_config import GENE_TABLES, PeerConfig
from sequela.models.snn import gene_network


class MeanFusion(nn.Module):
    """Attention MIL of slides, another of report fields, self-normalising networks of the rest.

    They meet in the loss of their mean logits alone; a patient's mean is over what there is of
    them. No paper's: the late fusion that every paper of early fusion compares with.

    Args:
        config: What is read, and the widths.
        logits: How many numbers the head asks for.
    """

    def __init__(self, config: PeerConfig, logits: int) -> None:
        super().__init__()
        self.config = config
        tables = {*GENE_TABLES, "genes"}
        there = dict.fromkeys("genes" if name in tables else name for name in config.reads)
        self.networks = nn.ModuleDict({name: _network(name, config) for name in there})
        self.outputs = nn.ModuleDict({name: nn.Linear(config.dim, logits) for name in there})

    def forward(self, batch: Batch) -> Output:
        """Mean logits of each patient, and the vector of each modality."""
        parts, masks = {}, {}
        for name, network in self.networks.items():
            parts[name], masks[name] = self._vector(name, network, batch)
        said = torch.stack([self.outputs[name](parts[name]) for name in parts], dim=1)
        there = torch.stack([masks[name] for name in parts], dim=1)[:, :, None]
        logits = (said * there).sum(dim=1) / there.sum(dim=1).clamp(min=1)
        return Output(logits, parts, masks)

    def _vector(
        self, name: str, network: nn.Module, batch: Batch
    ) -> tuple[Float[Tensor, "patient dim"], Tensor]:
        if name == "genes":
            there = has_genes(batch, self.config)
            return network(genes_in_a_row(batch, self.config)) * there[:, None], there
        values, mask = batch.measured(name)
        if name == "clinical":
            row = torch.cat([values * mask, (~mask).to(values)], dim=1)
            there = mask.any(dim=1)
            return network(row) * there[:, None], there
        return network(values, mask), mask.any(dim=1)


def _network(name: str, config: PeerConfig) -> nn.Module:
    shape = config.known_shape()
    if name == "genes":
        return gene_network(config)
    if name == "clinical":
        return self_normalising((2 * shape.covariates, config.dim), config.dropout)
    return Bag(shape.patch if name == "slide" else shape.text, config.dim, config.dropout)
