"""Every table of genes to a token a gene set, for models that look at gene sets one by one."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sequela.encoders.pathway import PathwayEncoder
from sequela.fusion.kecm import Masked, joined
from sequela.modalities.batch import Batch
from sequela.models.peer_config import PeerConfig


class GeneTokens(nn.Module):
    """A network a gene set and table, their tokens in a row.

    Two layers of ELU and alpha dropout, as MCAT, MOTCat, CMTA, SurvPath and MMP publish them; their
    weights begin as a self-normalising network's.

    Args:
        config: Which tables are read, and the widths.
    """

    def __init__(self, config: PeerConfig) -> None:
        super().__init__()
        shape = config.known_shape()
        self.networks = nn.ModuleDict(
            {
                name: PathwayEncoder(
                    shape.membership(name),
                    shape.genes[name],
                    config.hidden,
                    config.dim,
                    config.dropout,
                    rival=True,
                )
                for name in config.gene_tables
            }
        )

        self.count = sum(len(shape.membership(name).sets) for name in config.gene_tables)

    def forward(self, batch: Batch) -> Masked:
        """A token a set; one without a gene that was measured in the patient is masked."""
        return joined(
            [Masked(*network(*batch.measured(name))) for name, network in self.networks.items()]
        )


def genes_in_a_row(batch: Batch, config: PeerConfig) -> Float[Tensor, "patient gene"]:
    """All tables of genes side by side, what was not measured being 0, the training mean."""
    tables = [batch.measured(name) for name in config.gene_tables]
    return torch.cat([values * mask for values, mask in tables], dim=1)


def has_genes(batch: Batch, config: PeerConfig) -> Tensor:
    """Which patients have any gene measured."""
    tables = [batch.measured(name)[1].any(dim=1) for name in config.gene_tables]
    return torch.stack(tables).any(dim=0)
