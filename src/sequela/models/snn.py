"""SNN: all genes through one self-normalising network (Klambauer et al., NeurIPS 2017)."""

from __future__ import annotations

from torch import nn

from sequela.encoders.self_normalising import self_normalising
from sequela.modalities.batch import Batch
from sequela.models.gene_tokens import genes_in_a_row, has_genes
from sequela.models.output import Output
from sequela.models.peer_config import PeerConfig


class Snn(nn.Module):
    """Two self-normalising layers of the genes in a row.

    Args:
        config: Which tables are read, and the width.
        logits: How many numbers the head asks for.

    Source: Klambauer et al., NeurIPS 2017, eq. 2 and alpha dropout; the depth is open there, and
    two is PORPOISE's. Departures from what survival papers call SNN: their code has ELU for SELU,
    which keeps no variance, and four layers where genes stand alone.
    """

    def __init__(self, config: PeerConfig, logits: int) -> None:
        super().__init__()
        self.config = config
        self.genes = gene_network(config)
        self.output = nn.Linear(config.dim, logits)

    def forward(self, batch: Batch) -> Output:
        """Logits of each patient, and the vector of the genes."""
        there = has_genes(batch, self.config)
        vector = self.genes(genes_in_a_row(batch, self.config)) * there[:, None]
        return Output(self.output(vector), {"genes": vector}, {"genes": there})


def gene_network(config: PeerConfig, activation: type[nn.Module] = nn.SELU) -> nn.Sequential:
    """The network of the genes in a row."""
    shape = config.known_shape()
    genes = sum(shape.genes[name] for name in config.gene_tables)
    return self_normalising((genes, config.dim, config.dim), config.dropout, activation)
