"""PORPOISE: gated vectors of slide and genes, multiplied (Chen et al., Cancer Cell 2022)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from sequela.fusion.gated_pooling import GatedPooling, adapter
from sequela.modalities.batch import Batch
from sequela.models.gene_tokens import genes_in_a_row, has_genes
from sequela.models.output import Output
from sequela.models.peer_config import PeerConfig
from sequela.models.snn import gene_network

_SCALE = 8
"""The product is made of vectors this much narrower, as published."""

_DROPPED = 0.1
"""Share of each patch's features dropped in training."""


class Porpoise(nn.Module):
    """Attention MIL of patches and a network of genes, in a Kronecker product.

    Args:
        config: Which tables are read, and the widths.
        logits: How many numbers the head asks for.

    Source: Chen et al., Cancer Cell 2022, and their code: patches twice as wide as the slide's
    vector, ELU in the network of genes, a way round the product. Departures: no L1 penalty on
    weights, which begin otherwise.
    """

    def __init__(self, config: PeerConfig, logits: int) -> None:
        super().__init__()
        self.config, dim, dropout = config, config.dim, config.dropout
        self.patches = nn.Sequential(
            nn.Dropout(_DROPPED), *adapter(config.known_shape().patch, 2 * dim, dropout)
        )
        self.pool = GatedPooling(2 * dim, dim, dropout)
        self.slide = adapter(2 * dim, dim, dropout)
        self.genes = gene_network(config, nn.ELU)
        self.fusion = Kronecker(dim, max(2, dim // _SCALE), dropout)
        self.output = nn.Linear(dim, logits)

    def forward(self, batch: Batch) -> Output:
        """Logits of each patient, and the vectors of slide and genes."""
        patches, mask = batch.measured("slide")
        masks = {"slide": mask.any(dim=1), "genes": has_genes(batch, self.config)}
        slide = self.slide(self.pool(self.patches(patches), mask))
        genes = self.genes(genes_in_a_row(batch, self.config))
        parts = {"slide": slide, "genes": genes}
        parts = {name: part * masks[name][:, None] for name, part in parts.items()}
        return Output(self.output(self.fusion(*parts.values())), parts, masks)


class Kronecker(nn.Module):
    """[o₁; 1] ⊗ [o₂; 1], each o a layer of z h, and each h behind a gate z of both.

    Args:
        dim: Width of both vectors, and of what comes out.
        width: Of both in the product.
        dropout: Share of units dropped in training.

    Source: Chen et al., TMI 2022, eqs. 5, 6; PORPOISE's code for the layer between gate and product
    and for the way of both vectors round it.
    """

    def __init__(self, dim: int, width: int, dropout: float) -> None:
        super().__init__()
        self.narrow = nn.ModuleList(nn.Linear(dim, width) for _ in range(2))
        self.gates = nn.ModuleList(nn.Linear(2 * dim, width) for _ in range(2))
        self.gated = nn.ModuleList(adapter(width, width, dropout) for _ in range(2))
        self.product = nn.Sequential(
            nn.Dropout(dropout), nn.Linear((width + 1) ** 2, dim), nn.ReLU()
        )
        self.out = nn.Sequential(nn.Linear(3 * dim, dim), nn.ReLU())

    def forward(
        self, first: Float[Tensor, "patient dim"], second: Float[Tensor, "patient dim"]
    ) -> Float[Tensor, "patient dim"]:
        """The product through one layer, with both vectors through another."""
        both = torch.cat([first, second], dim=1)
        left, right = (
            F.pad(gated(torch.relu(narrow(vector)) * torch.sigmoid(gate(both))), (0, 1), value=1.0)
            for narrow, gate, gated, vector in zip(
                self.narrow, self.gates, self.gated, (first, second), strict=True
            )
        )
        product = self.product(torch.einsum("pi,pj->pij", left, right).flatten(1))
        found: Tensor = self.out(torch.cat([product, both], dim=1))
        return found
