"""MMP: slide prototypes and gene sets, all looking at all (Song et al., ICML 2024)."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sequela.fusion.co_attention import CoAttention
from sequela.fusion.feed_forward import FeedForwardEach
from sequela.fusion.kecm import Masked, joined
from sequela.fusion.mixture import mixture_of, prototypes_of
from sequela.modalities.batch import Batch
from sequela.models.gene_tokens import GeneTokens
from sequela.models.output import Output
from sequela.models.peer_config import PeerConfig

_APPENDED = 32
SAMPLED = 128
"""Patches of each training patient that prototypes are made of."""


class Mmp(nn.Module):
    """Prototypes of the slide (one EM step) and gene sets in one attention (eqs. 4-9).

    The prototypes are means of clusters of training patients' patches, fixed before training. As
    published: to each prototype and gene set 32 numbers are appended that tell it apart, and each
    has a feed-forward network of its own; one head, half the width inside, no residual way.

    Args:
        config: Which tables are read, how many prototypes, and the widths.
        logits: How many numbers the head asks for.

    Source: Song et al., ICML 2024, and their code as its script runs it. Departures: weights of
    attention are normalised once, where that code does so twice for prototypes that look at gene
    sets; the last layer has a bias.
    """

    prototypes: Float[Tensor, "prototype feature"]

    def __init__(self, config: PeerConfig, logits: int) -> None:
        super().__init__()
        dim, feature = config.dim, config.known_shape().patch
        self.register_buffer("prototypes", torch.randn(config.prototypes, feature))
        self.slide = nn.Linear(2 * feature + 1, dim)
        self.genes = GeneTokens(config)
        tokens, width = config.prototypes + self.genes.count, dim + _APPENDED
        self.kind = nn.Parameter(torch.randn(tokens, _APPENDED))
        self.before = nn.LayerNorm(width)
        self.attention = CoAttention(width, width=width // 2)
        self.feed = FeedForwardEach(tokens, width // 2, config.dropout)
        self.output = nn.Linear(2 * (width // 2), logits)

    def forward(self, batch: Batch) -> Output:
        """Logits of each patient, and the vectors of slide and genes."""
        patches, mask = batch.measured("slide")
        mixture = mixture_of(patches, mask, self.prototypes)
        there = mask.any(dim=1, keepdim=True).expand(-1, mixture.shape[1])
        genes = self.genes(batch)
        every = joined([Masked(self.slide(mixture), there), genes])
        told_apart = torch.cat([every.values, self.kind.expand(len(patches), -1, -1)], dim=2)
        normed = Masked(self.before(told_apart), every.mask)
        states = self.feed(self.attention(normed, normed).values)
        count = mixture.shape[1]
        parts = {
            "slide": Masked(states[:, :count], there).mean(),
            "genes": Masked(states[:, count:], genes.mask).mean(),
        }
        masks = {"slide": there[:, 0], "genes": genes.mask.any(dim=1)}
        return Output(self.output(torch.cat(list(parts.values()), dim=1)), parts, masks)

    @torch.no_grad()
    def start(self, batch: Batch) -> None:
        """Set the prototypes by patches of training patients.

        Args:
            batch: Of all training patients, some patches of each.
        """
        patches, mask = batch.measured("slide")
        self.prototypes.copy_(prototypes_of(patches[mask], len(self.prototypes)))
