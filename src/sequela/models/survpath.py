"""SurvPath: gene sets and patches in one sparse attention (Jaume et al., CVPR 2024)."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sequela.fusion.co_attention import CoAttention
from sequela.fusion.feed_forward import feed_forward
from sequela.fusion.kecm import Masked, joined
from sequela.modalities.batch import Batch
from sequela.models.gene_tokens import GeneTokens
from sequela.models.output import Output
from sequela.models.peer_config import PeerConfig


class SurvPath(nn.Module):
    """Gene sets look at all tokens, patches at gene sets alone (eqs. 2-4); mean of each kind.

    The attention of patches among themselves is left out, so the cost is linear in patches. As
    published: one head, half the width inside, no residual way.

    Args:
        config: Which tables are read, and the widths.
        logits: How many numbers the head asks for.

    Source: Jaume et al., CVPR 2024, and their code. Departures: none known.
    """

    def __init__(self, config: PeerConfig, logits: int) -> None:
        super().__init__()
        dim, inner = config.dim, config.dim // 2
        self.patches = nn.Linear(config.known_shape().patch, dim)
        self.genes = GeneTokens(config)
        self.before = nn.LayerNorm(dim)
        self.attention = CoAttention(dim, width=inner)
        self.feed = feed_forward(inner, config.dropout)
        self.output = nn.Sequential(
            nn.Linear(2 * inner, inner // 2), nn.ReLU(), nn.Linear(inner // 2, logits)
        )

    def forward(self, batch: Batch) -> Output:
        """Logits of each patient, and the vectors of slide and genes.

        Patches look at gene sets alone, so without genes a slide is not seen: the paper's limit.
        """
        patches, mask = batch.measured("slide")
        genes = self.genes(batch)
        genes = Masked(self.before(genes.values), genes.mask)
        slide = Masked(self.before(self.patches(patches)), mask)
        every = joined([genes, slide])
        looked = {"slide": self.attention(slide, genes), "genes": self.attention(genes, every)}
        parts = {name: self._mean(tokens) for name, tokens in looked.items()}
        masks = {name: tokens.mask.any(dim=1) for name, tokens in looked.items()}
        return Output(self.output(torch.cat(list(parts.values()), dim=1)), parts, masks)

    def _mean(self, tokens: Masked) -> Float[Tensor, "patient inner"]:
        return Masked(self.feed(tokens.values), tokens.mask).mean()
