"""Genes to a vector a gene set: many small self-normalising networks as one packed operation.

Klambauer et al., NeurIPS 2017 (SELU, alpha dropout); a network a set as in SurvPath (Jaume et al.,
CVPR 2024).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

_RATIO = 2.0  # sets of one block are padded to their largest, at most this much larger
_FLOOR = -1.7580993408473766  # what SELU tends to, far below 0


@dataclass(frozen=True)
class Membership:
    """Which genes each set has, among the genes that a model reads; sets without one left out.

    Attributes:
        sets: Names, by ascending size.
        genes: Of each set, the columns of its genes.
    """

    sets: tuple[str, ...]
    genes: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, sets: Mapping[str, Sequence[str]], genes: Sequence[str]) -> Membership:
        """The sets in the genes that were kept."""
        place = {gene: column for column, gene in enumerate(genes)}
        inside = {
            name: tuple(place[gene] for gene in members if gene in place)
            for name, members in sets.items()
        }
        ordered = sorted((len(columns), name) for name, columns in inside.items() if columns)
        names = tuple(name for _, name in ordered)
        return cls(names, tuple(inside[name] for name in names))

    def blocks(self) -> list[tuple[int, int, int]]:
        """Runs of sets of about one size: where each begins and ends, and its largest size."""
        blocks: list[tuple[int, int, int]] = []
        start = 0
        for end in range(1, len(self.genes) + 1):
            last = end == len(self.genes)
            if last or len(self.genes[end]) > _RATIO * len(self.genes[start]):
                blocks.append((start, end, len(self.genes[end - 1])))
                start = end
        return blocks


class PathwayEncoder(nn.Module):
    """Linear-SELU-Linear-SELU of each set's genes, all sets at once.

    Rivals of KEMM publish ELU in its place, and drop units of the vectors too.

    The weights of all sets stand in a few tensors, so that a step is a few operations and an
    optimiser has a few tensors to go through. Sets are padded within blocks of about one size.

    Args:
        membership: Which genes each set has.
        genes: How many genes there are.
        hidden: Width between the two layers.
        dim: Width of the vectors.
        dropout: Share of hidden units dropped in training, by alpha dropout.
        rival: Whether it is drawn as rivals do.
    """

    def __init__(
        self,
        membership: Membership,
        genes: int,
        hidden: int,
        dim: int,
        dropout: float,
        *,
        rival: bool = False,
    ) -> None:
        super().__init__()
        self.rival, self.activation = rival, F.elu if rival else F.selu
        self.membership, self.dropout, self.hidden = membership, dropout, hidden
        self.blocks = membership.blocks()
        count = len(membership.sets)
        columns, scale = self._padded(membership, genes)
        self.register_buffer("columns", torch.tensor(columns), persistent=False)
        owner = [
            place
            for start, end, size in self.blocks
            for place in range(start, end)
            for _ in range(size)
        ]
        self.register_buffer("owner", torch.tensor(owner), persistent=False)
        self.lengths = [size * (end - start) for start, end, size in self.blocks]
        spread = torch.split(torch.tensor(scale)[:, None], self.lengths)
        self.first = nn.ParameterList(
            (torch.randn(len(own), hidden) * own).view(end - start, size, hidden)
            for (start, end, size), own in zip(self.blocks, spread, strict=True)
        )
        self.first_bias = nn.Parameter(torch.zeros(count, hidden))
        self.second = nn.Parameter(torch.randn(count, hidden, dim) / math.sqrt(hidden))
        self.second_bias = nn.Parameter(torch.zeros(count, dim))

    columns: Int[Tensor, " member"]
    owner: Int[Tensor, " member"]

    def _padded(self, membership: Membership, genes: int) -> tuple[list[int], list[float]]:
        """The genes of all sets in a row, and the deviation of the first weights of each.

        The column past the last gene is always 0, so the weights of padding stay 0.
        """
        columns: list[int] = []
        scale: list[float] = []
        for start, end, size in self.blocks:
            for row in membership.genes[start:end]:
                spare = size - len(row)
                columns += [*row, *[genes] * spare]
                scale += [len(row) ** -0.5] * len(row) + [0.0] * spare
        return columns, scale

    def forward(
        self, genes: Float[Tensor, "patient gene"], mask: Bool[Tensor, "patient gene"]
    ) -> tuple[Float[Tensor, "patient pathway dim"], Bool[Tensor, "patient pathway"]]:
        """A vector a set, and which sets have a gene that was measured in the patient."""
        patients = len(genes)
        values = F.pad(genes * mask, (0, 1))[:, self.columns]
        seen = F.pad(mask, (0, 1))[:, self.columns]
        count = torch.zeros((patients, len(self.membership.sets)), device=seen.device)
        there = count.index_add_(1, self.owner, seen.to(count)) > 0
        parts = torch.split(values, self.lengths, dim=1)
        hidden = [
            part.view(patients, *weight.shape[:2]).transpose(0, 1) @ weight
            for part, weight in zip(parts, self.first, strict=True)
        ]
        state = self._dropped(self.activation(torch.cat(hidden) + self.first_bias[:, None]))
        out = self.activation(torch.baddbmm(self.second_bias[:, None], state, self.second))
        return (self._dropped(out) if self.rival else out).transpose(0, 1), there

    def _dropped(
        self, state: Float[Tensor, "pathway patient width"]
    ) -> Float[Tensor, "pathway patient width"]:
        if self.training and self.dropout:
            return alpha_dropout(state, self.dropout)
        return state


def alpha_dropout(state: Float[Tensor, "*axis"], share: float) -> Float[Tensor, "*axis"]:
    """Units set to what SELU tends to, then all rescaled to keep mean and variance.

    PyTorch's draws a number a unit as a float's bits; comparing uniform ones is five times faster.
    Source: Klambauer et al., NeurIPS 2017, section 2, "new dropout technique".
    """
    scale = ((1 - share) * (1 + share * _FLOOR**2)) ** -0.5
    dropped = torch.rand(state.shape, device=state.device) < share
    return state.masked_fill(dropped, _FLOOR).mul_(scale).add_(-scale * share * _FLOOR)
