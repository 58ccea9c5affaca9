"""CMTA: each modality is told in the other's words, and the two are aligned.

Zhou and Chen, ICCV 2023.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sequela.fusion.bag_transformer import BagTransformer
from sequela.fusion.co_attention import CoAttention
from sequela.fusion.gated_pooling import adapter
from sequela.fusion.kecm import Masked
from sequela.modalities.batch import Batch
from sequela.models.gene_tokens import GeneTokens
from sequela.models.output import Output
from sequela.models.peer_config import PeerConfig

_SPREAD = 1e-6


class Cmta(nn.Module):
    """Two encoders, attention each way, two decoders (eqs. 3-9); encoded and decoded averaged.

    Patches pass TransMIL's module in encoder and decoder, so their order tells. In training the
    decoded vector is drawn to the encoded one, which is held fast (eq. 10, the L1 distance).

    Args:
        config: Which tables are read, and the widths.
        logits: How many numbers the head asks for.

    Source: Zhou and Chen, ICCV 2023, and their code. Departures: exact attention among gene sets,
    without a convolution (see `SetEncoder`), `hidden` for 1024 inside their networks, and those of
    `CoAttention` and `NystromAttention`.
    """

    def __init__(self, config: PeerConfig, logits: int) -> None:
        super().__init__()
        dim, heads, dropout = config.dim, config.heads, config.dropout
        feature = config.known_shape().patch
        self.patches = nn.Sequential(*adapter(feature, dim, dropout), *adapter(dim, dim, dropout))
        self.genes = GeneTokens(config)
        self.slide_encoder = BagTransformer(dim, heads, dropout, _SPREAD)
        self.slide_decoder = BagTransformer(dim, heads, dropout, _SPREAD)
        self.gene_encoder = SetEncoder(dim, heads, dropout)
        self.gene_decoder = SetEncoder(dim, heads, dropout)
        self.slide_in_genes = CoAttention(dim)
        self.genes_in_slide = CoAttention(dim)
        self.fusion = nn.Sequential(
            nn.Linear(2 * dim, dim), nn.ReLU(), nn.Linear(dim, dim), nn.ReLU()
        )
        self.output = nn.Linear(dim, logits)

    def forward(self, batch: Batch) -> Output:
        """Logits, the vectors of slide and genes, and in training how far decoded ones are."""
        patches, mask = batch.measured("slide")
        genes = self.genes(batch)
        slide_vector, slide = self.slide_encoder(Masked(self.patches(patches), mask))
        gene_vector, sets = self.gene_encoder(genes)
        told_slide, _ = self.slide_decoder(self.slide_in_genes(slide, sets))
        told_genes, _ = self.gene_decoder(self.genes_in_slide(sets, slide))
        there = {"slide": mask.any(dim=1), "genes": genes.mask.any(dim=1)}
        both = there["slide"] & there["genes"]
        parts = {
            "slide": _averaged(slide_vector, told_slide, both),
            "genes": _averaged(gene_vector, told_genes, both),
        }
        logits = self.output(self.fusion(torch.cat(list(parts.values()), dim=1)))
        asked = _apart(slide_vector, told_slide, both) + _apart(gene_vector, told_genes, both)
        return Output(logits, parts, there, asked if self.training else None)


class SetEncoder(nn.Module):
    """A class token among the tokens of gene sets, through two layers of self-attention.

    As published: norm, attention, residual way; no feed-forward; a norm at the end. The code
    approximates the attention by more landmarks than there are tokens, most of them of zeros, and
    convolves the values along the sets; sets have no order, and so few need no approximation.
    """

    def __init__(self, dim: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.summary = nn.Parameter(torch.randn(dim) * _SPREAD)
        self.norms = nn.ModuleList(nn.LayerNorm(dim) for _ in range(3))
        self.attentions = nn.ModuleList(
            nn.MultiheadAttention(dim, heads, dropout, batch_first=True) for _ in range(2)
        )

    def forward(self, tokens: Masked) -> tuple[Float[Tensor, "patient dim"], Masked]:
        """The class token's last state, zeros for a patient without tokens; and the tokens'."""
        summary = self.summary.expand(len(tokens.values), 1, -1)
        padding = nn.functional.pad(~tokens.mask, (1, 0))
        states = torch.cat([summary, tokens.values], dim=1)
        for norm, attention in zip(self.norms, self.attentions, strict=False):
            normed = norm(states)
            gathered, _ = attention(
                normed, normed, normed, key_padding_mask=padding, need_weights=False
            )
            states = states + gathered
        states = self.norms[2](states)
        vector = states[:, 0] * tokens.mask.any(dim=1)[:, None]
        return vector, Masked(states[:, 1:], tokens.mask)


def _averaged(encoded: Tensor, told: Tensor, both: Tensor) -> Float[Tensor, "patient dim"]:
    """The mean of the two; of a patient with one modality, what was encoded."""
    return torch.where(both[:, None], (encoded + told) / 2, encoded)


def _apart(encoded: Tensor, told: Tensor, both: Tensor) -> Float[Tensor, ""]:
    distance = (encoded.detach() - told).abs().mean(dim=1)
    return (distance * both).sum() / both.sum().clamp(min=1)
