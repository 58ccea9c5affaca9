"""A pair taken apart into named parts: image and text, or earlier and later.

A part left out takes its token and its weights along.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sequela.fusion.timeline import Timeline, gaps_of

CrossModalPart = Literal["image", "text", "shared", "complementary"]
TemporalPart = Literal["invariant", "varying", "first", "second"]
Orientation = Literal["literal", "cohort-individual"]


class Decomposition(nn.Module):
    """Whatever is taken apart, through one module a part.

    Args:
        parts: Name and module of each part; every module takes what is taken apart.
    """

    def __init__(self, parts: dict[str, nn.Module]) -> None:
        super().__init__()
        self.parts = nn.ModuleDict(parts)

    def forward(self, *whole: Tensor | Timeline) -> dict[str, Tensor]:
        """The parts by name, in the order they were given."""
        return {name: part(*whole) for name, part in self.parts.items()}


def cross_modal(
    parts: Sequence[CrossModalPart], dim: int, orientation: Orientation
) -> Decomposition:
    """CM-DKE: the parts of an exam's image and text vectors (LUMIN, eqs. 4-8)."""
    make: dict[str, Callable[[], nn.Module]] = {
        "image": lambda: Specific(0, dim, dim),
        "text": lambda: Specific(1, dim, dim),
        "shared": lambda: Shared(dim),
        "complementary": lambda: Complementary(dim, orientation),
    }
    return Decomposition({part: make[part]() for part in parts})


def temporal(parts: Sequence[TemporalPart], width: int, dim: int, exams: int) -> Decomposition:
    """TE-DKE: the parts of the exams' vectors (LUMIN, eq. 9 with a block-structured W).

    Two exams give the paper's form. With more, `invariant` reads the mean of all, `varying` a
    pooled rate of change, `first` every exam but the last and `second` every exam but the first.
    """
    make: dict[str, Callable[[], nn.Module]] = {
        "invariant": lambda: Invariant(width, dim),
        "varying": lambda: Varying(width, dim, exams),
        "first": lambda: AtExams(slice(None, -1), width, dim),
        "second": lambda: AtExams(slice(1, None), width, dim),
    }
    return Decomposition({part: make[part]() for part in parts})


def projection(width: int, dim: int, *, bias: bool = True) -> nn.Sequential:
    """Linear, LayerNorm, ReLU: the paper's phi(W x + b)."""
    return nn.Sequential(nn.Linear(width, dim, bias=bias), nn.LayerNorm(dim), nn.ReLU())


class Specific(nn.Module):
    """What one member of the pair says by itself (eq. 4)."""

    def __init__(self, member: Literal[0, 1], width: int, dim: int) -> None:
        super().__init__()
        self.member = member
        self.project = projection(width, dim)

    def forward(
        self, first: Float[Tensor, "*exam dim"], second: Float[Tensor, "*exam dim"]
    ) -> Float[Tensor, "*exam dim"]:
        """The member's own token."""
        token: Tensor = self.project((first, second)[self.member])
        return token


class Shared(nn.Module):
    """What both members say together (eq. 5)."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.project = projection(2 * dim, dim)

    def forward(
        self, first: Float[Tensor, "*exam dim"], second: Float[Tensor, "*exam dim"]
    ) -> Float[Tensor, "*exam dim"]:
        """The token of the two side by side."""
        token: Tensor = self.project(torch.cat([first, second], dim=-1))
        return token


class Complementary(nn.Module):
    """What each member picks of itself by the light of the other (eqs. 6 and 7).

    With A the outer product of image I and text T and W* of shape 1 x d, W* A collapses: in the
    paper's orientation to (w . I) T, in that of Zhou et al. (2024) to I (w . T). So the d x d
    matrix is never made, and the cost is O(d).

    Args:
        dim: Width of both members.
        orientation: `literal` is the paper's, `cohort-individual` that of the work it cites.
    """

    def __init__(self, dim: int, orientation: Orientation) -> None:
        super().__init__()
        self.orientation = orientation
        self.first_gate = nn.Linear(dim, 1)
        self.second_gate = nn.Linear(dim, 1)

    def forward(
        self, first: Float[Tensor, "*exam dim"], second: Float[Tensor, "*exam dim"]
    ) -> Float[Tensor, "*exam dim"]:
        """The sum of both members, each behind its gate."""
        gate_of_first = _collapsed(self.first_gate, first, second, self.orientation)
        gate_of_second = _collapsed(self.second_gate, second, first, self.orientation)
        return first * torch.sigmoid(gate_of_first) + second * torch.sigmoid(gate_of_second)


def _collapsed(
    weights: nn.Linear,
    own: Float[Tensor, "*exam dim"],
    other: Float[Tensor, "*exam dim"],
    orientation: Orientation,
) -> Float[Tensor, "*exam dim"]:
    """W* (own x other) + b, or its transpose's, without the outer product."""
    weighed, left = (own, other) if orientation == "literal" else (other, own)
    gate: Tensor = (weighed @ weights.weight.T) * left + weights.bias
    return gate


class Invariant(nn.Module):
    """What stays: phi(W mean of the exams)."""

    def __init__(self, width: int, dim: int) -> None:
        super().__init__()
        self.project = projection(width, dim)

    def forward(
        self, exams: Float[Tensor, "patient exam width"], timeline: Timeline
    ) -> Float[Tensor, "patient dim"]:
        """One token a patient."""
        mask = timeline.mask[:, :, None]
        mean = (exams * mask).sum(dim=1) / mask.sum(dim=1).clamp(min=1)
        token: Tensor = self.project(mean)
        return token


class Varying(nn.Module):
    """What changes: phi(W (earlier - later)), with no bias, so that swapped exams flip its sign.

    With more than two exams, the change over each gap is scaled by the patient's mean gap over
    that gap (a rate; exactly 1 for a single gap), and the gaps are pooled by attention.

    Args:
        width: Width of an exam's vector.
        dim: Width of the token.
        exams: How many are seen at most; two need no attention.
    """

    def __init__(self, width: int, dim: int, exams: int) -> None:
        super().__init__()
        self.project = projection(width, dim, bias=False)
        self.attention = nn.Linear(width, 1, bias=False) if exams > 2 else None

    def forward(
        self, exams: Float[Tensor, "patient exam width"], timeline: Timeline
    ) -> Float[Tensor, "patient dim"]:
        """One token a patient; meaningless for a patient with a single exam, who is masked."""
        token: Tensor = self.project(self.change(exams, timeline))
        return token

    def change(
        self, exams: Float[Tensor, "patient exam width"], timeline: Timeline
    ) -> Float[Tensor, "patient width"]:
        """Earlier minus later: of the two exams, or pooled over all gaps."""
        gaps = gaps_of(timeline)
        rows = torch.arange(len(exams), device=exams.device)[:, None]
        changes = (exams[rows, gaps.before] - exams[:, 1:]) * gaps.scale[:, :, None]
        if self.attention is None:
            single: Tensor = changes.squeeze(1) * gaps.mask
            return single
        scores = self.attention(changes).squeeze(-1).masked_fill(~gaps.mask, -torch.inf)
        some = gaps.mask.any(dim=1, keepdim=True)
        weights = scores.masked_fill(~some, 0.0).softmax(dim=1)
        pooled: Tensor = (weights[:, :, None] * changes * gaps.mask[:, :, None]).sum(dim=1)
        return pooled


class AtExams(nn.Module):
    """What one exam says by itself: phi(W exam), for some slots of the timeline."""

    def __init__(self, slots: slice, width: int, dim: int) -> None:
        super().__init__()
        self.slots = slots
        self.project = projection(width, dim)

    def forward(
        self, exams: Float[Tensor, "patient exam width"], timeline: Timeline
    ) -> Float[Tensor, "patient slot dim"]:
        """One token for each of its slots."""
        tokens: Tensor = self.project(exams[:, self.slots])
        return tokens
