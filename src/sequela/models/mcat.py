"""MCAT: gene sets ask patches, then two set transformers (Chen et al., ICCV 2021).

MOTCat (Xu and Chen, ICCV 2023) is the same drawing with a transport plan for the attention.
"""

from __future__ import annotations

import torch
from torch import nn

from sequela.fusion.gated_pooling import adapter
from sequela.fusion.kecm import Masked
from sequela.fusion.pooled_set import PooledSet
from sequela.modalities.batch import Batch
from sequela.models.gene_tokens import GeneTokens
from sequela.models.output import Output
from sequela.models.peer_config import PeerConfig

_LAYERS = 2


class Mcat(nn.Module):
    """Genomic-guided co-attention (eq. 3), set transformers (eqs. 5, 6), late concatenation.

    Args:
        config: Which tables are read, and the widths.
        logits: How many numbers the head asks for.
        attention: Of gene sets over patches: takes queries and values.

    Source: Chen et al., ICCV 2021, eqs. 3, 5-7, and their code for sizes. Departures: the cohort's
    gene sets for the paper's six; a linear layer less (see `CoAttention`).
    """

    def __init__(self, config: PeerConfig, logits: int, attention: nn.Module) -> None:
        super().__init__()
        dim, heads, dropout = config.dim, config.heads, config.dropout
        self.patches = adapter(config.known_shape().patch, dim, dropout)
        self.genes = GeneTokens(config)
        self.attention = attention
        self.of_slide = PooledSet(dim, heads, _LAYERS, dropout)
        self.of_genes = PooledSet(dim, heads, _LAYERS, dropout)
        self.fusion = nn.Sequential(
            nn.Linear(2 * dim, dim), nn.ReLU(), nn.Linear(dim, dim), nn.ReLU()
        )
        self.output = nn.Linear(dim, logits)

    def forward(self, batch: Batch) -> Output:
        """Logits of each patient, and the vectors of slide and genes.

        Without genes nobody asks, so such a patient's slide is not seen: the paper's limit.
        """
        patches, mask = batch.measured("slide")
        genes = self.genes(batch)
        asked = self.attention(genes, Masked(self.patches(patches), mask))
        parts = {"slide": self.of_slide(asked), "genes": self.of_genes(genes)}
        masks = {"slide": asked.mask.any(dim=1), "genes": genes.mask.any(dim=1)}
        logits = self.output(self.fusion(torch.cat(list(parts.values()), dim=1)))
        return Output(logits, parts, masks)
