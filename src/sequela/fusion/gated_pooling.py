"""Tokens to one vector, or one a group, by gated attention, whichever of them a patient has."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from sequela.fusion.gathering import NEVER


class GatedPooling(nn.Module):
    """Gated attention pooling (Ilse et al., ICML 2018, eq. 9); masked tokens have no weight.

    Args:
        dim: Width of the tokens.
        hidden: Width of the gate.
        dropout: Share of units dropped in training, of the content and of its gate.
    """

    def __init__(self, dim: int, hidden: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.content = nn.Linear(dim, hidden)
        self.gate = nn.Linear(dim, hidden)
        self.dropout = nn.Dropout(dropout)
        self.score = nn.Linear(hidden, 1, bias=False)

    def forward(
        self, tokens: Float[Tensor, "patient token dim"], mask: Bool[Tensor, "patient token"]
    ) -> Float[Tensor, "patient dim"]:
        """The weighted mean; zeros for a patient without tokens."""
        return torch.einsum("pt,ptd->pd", self.weights(tokens, mask), tokens)

    def weights(
        self, tokens: Float[Tensor, "patient token dim"], mask: Bool[Tensor, "patient token"]
    ) -> Float[Tensor, "patient token"]:
        """The share of each token; zeros for a patient without tokens."""
        content = self.dropout(torch.tanh(self.content(tokens)))
        gated = content * self.dropout(torch.sigmoid(self.gate(tokens)))
        scores = self.score(gated).squeeze(2).masked_fill(~mask, NEVER)
        shares: Tensor = scores.softmax(dim=1) * mask
        return shares


class GroupPooling(nn.Module):
    """A gated attention pooling a group of tokens, each with its own weights, all at once.

    Every token is scored by every group's gate, and its own group's score counts: a few products
    more, and as few operations for many groups as for one.

    Args:
        groups: How many there are.
        dim: Width of the tokens.
        hidden: Width of each gate.
    """

    def __init__(self, groups: int, dim: int, hidden: int) -> None:
        super().__init__()
        self.shape = (2, groups, hidden)
        self.gates = nn.Linear(dim, 2 * groups * hidden)
        self.score = nn.Parameter(torch.empty(groups, hidden, 1).uniform_(-1, 1) / hidden**0.5)

    def forward(
        self,
        tokens: Float[Tensor, "patient token dim"],
        belongs: Bool[Tensor, "patient group token"],
    ) -> Float[Tensor, "patient group dim"]:
        """The weighted mean of each group's tokens; zeros where a patient has none of it."""
        content, gate = self.gates(tokens).unflatten(2, self.shape).unbind(dim=2)
        gated = torch.tanh(content) * torch.sigmoid(gate)
        scores = torch.einsum("ptgh,gho->pgt", gated, self.score).masked_fill(~belongs, NEVER)
        return (scores.softmax(dim=2) * belongs) @ tokens


class Bag(nn.Module):
    """A bag of anything to one vector: Linear-ReLU of each, then gated attention pooling.

    Args:
        feature: Width of what is in the bag.
        dim: Width of the vector, and of the gate.
        dropout: Share of the adapter's units dropped in training.
    """

    def __init__(self, feature: int, dim: int, dropout: float) -> None:
        super().__init__()
        self.adapter = adapter(feature, dim, dropout)
        self.pool = GatedPooling(dim, dim)

    def forward(
        self, bag: Float[Tensor, "patient token feature"], mask: Bool[Tensor, "patient token"]
    ) -> Float[Tensor, "patient dim"]:
        """The weighted mean of the adapted; zeros for an empty bag."""
        vector: Tensor = self.pool(self.adapter(bag), mask)
        return vector


def adapter(feature: int, dim: int, dropout: float) -> nn.Sequential:
    """Linear-ReLU-dropout: what patch features pass first in most models of slides."""
    return nn.Sequential(nn.Linear(feature, dim), nn.ReLU(), nn.Dropout(dropout))
