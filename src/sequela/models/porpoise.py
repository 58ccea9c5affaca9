"""PORPOISE: gated vectors of slide and genes, multiplied (Chen et al., Cancer Cell 2022)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from sequela.fusion.gated_pooling import Bag
from sequela.modalities.batch import Batch
from sequela.models.gene_tokens import genes_in_a_row, has_genes
from sequela.models.output import Output
from sequela.models.peer_config import PeerConfig
from sequela.models.snn import gene_network

_SCALE = 8
"""The product is made of vectors this much narrower, as published."""


class Porpoise(nn.Module):
    """Attention MIL of patches and a self-normalising network of genes, in a Kronecker product.

    Args:
        config: Which tables are read, and the widths.
        logits: How many numbers the head asks for.
    """

    def __init__(self, config: PeerConfig, logits: int) -> None:
        super().__init__()
        self.config, dim = config, config.dim
        self.slide = Bag(config.known_shape().patch, dim, config.dropout)
        self.genes = gene_network(config)
        self.fusion = Kronecker(dim, max(2, dim // _SCALE), config.dropout)
        self.output = nn.Linear(dim, logits)

    def forward(self, batch: Batch) -> Output:
        """Logits of each patient, and the vectors of slide and genes."""
        patches, mask = batch.measured("slide")
        masks = {"slide": mask.any(dim=1), "genes": has_genes(batch, self.config)}
        genes = self.genes(genes_in_a_row(batch, self.config)) * masks["genes"][:, None]
        parts = {"slide": self.slide(patches, mask), "genes": genes}
        return Output(self.output(self.fusion(*parts.values())), parts, masks)


class Kronecker(nn.Module):
    """[z₁ h₁; 1] ⊗ [z₂ h₂; 1], each h behind a gate z of both (Chen et al., TMI 2022, eqs. 5, 6).

    Args:
        dim: Width of both vectors, and of what comes out.
        width: Of both in the product.
        dropout: Share of units dropped in training.
    """

    def __init__(self, dim: int, width: int, dropout: float) -> None:
        super().__init__()
        self.narrow = nn.ModuleList(nn.Linear(dim, width) for _ in range(2))
        self.gates = nn.ModuleList(nn.Linear(2 * dim, width) for _ in range(2))
        self.out = nn.Sequential(
            nn.Dropout(dropout), nn.Linear((width + 1) ** 2, dim), nn.ReLU(), nn.Dropout(dropout)
        )

    def forward(
        self, first: Float[Tensor, "patient dim"], second: Float[Tensor, "patient dim"]
    ) -> Float[Tensor, "patient dim"]:
        """The product through one layer; with its ones, it holds both vectors and all pairs."""
        both = torch.cat([first, second], dim=1)
        left, right = (
            F.pad(torch.relu(narrow(vector)) * torch.sigmoid(gate(both)), (0, 1), value=1.0)
            for narrow, gate, vector in zip(self.narrow, self.gates, (first, second), strict=True)
        )
        product = torch.einsum("pi,pj->pij", left, right).flatten(1)
        found: Tensor = self.out(product)
        return found
