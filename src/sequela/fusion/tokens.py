"""The named tokens of some patients, and what tells their kinds apart."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from sequela.fusion.timeline import Timeline

DAYS_A_YEAR = 365.25
AT_EXAM = "at-exam"


Kind = tuple[str, int | None]
Column = tuple[str, Kind, Tensor, Tensor]


@dataclass(frozen=True)
class Tokens:
    """Tokens side by side.

    Attributes:
        names: What each is called: `image@1`, `varying`.
        kinds: The type that each has, and the slot of its exam (None where it has none).
        values: The tokens.
        mask: True where the patient has the token.
    """

    names: tuple[str, ...]
    kinds: tuple[Kind, ...]
    values: Float[Tensor, "patient token dim"]
    mask: Bool[Tensor, "patient token"]

    def __add__(self, others: Tokens) -> Tokens:
        return Tokens(
            self.names + others.names,
            self.kinds + others.kinds,
            torch.cat([self.values, others.values], dim=1),
            torch.cat([self.mask, others.mask], dim=1),
        )

    def without(self, names: Collection[str]) -> Tokens:
        """The same with the tokens of some parts masked.

        `between@2` ... belong to `first` and `second` together.
        """
        if not names:
            return self
        gone = {*names} | ({"between"} if {"first", "second"} <= {*names} else set())
        kept = [name.partition("@")[0] not in gone for name in self.names]
        return replace(self, mask=self.mask & torch.tensor(kept, device=self.mask.device))

    def by_part(self) -> dict[str, tuple[Tensor, Tensor]]:
        """The tokens of each part and which there are: an axis of exams where it has several."""
        columns: dict[str, list[int]] = {}
        for place, name in enumerate(self.names):
            columns.setdefault(name.partition("@")[0], []).append(place)
        exams = {name for name, at in zip(self.names, self.kinds, strict=True) if at[1] is None}
        return {
            part: (self.values[:, at[0]], self.mask[:, at[0]])
            if part in exams
            else (self.values[:, at], self.mask[:, at])
            for part, at in columns.items()
        }

    def parts(self) -> dict[str, Float[Tensor, "patient dim"]]:
        """Each token by its name."""
        return dict(zip(self.names, self.values.unbind(dim=1), strict=True))

    def masks(self) -> dict[str, Bool[Tensor, " patient"]]:
        """Who has each token, by its name."""
        return dict(zip(self.names, self.mask.unbind(dim=1), strict=True))


def exam_tokens(
    parts: Mapping[str, Float[Tensor, "patient exam dim"]], timeline: Timeline
) -> Tokens:
    """One token for each part of each exam: `image@1`, `text@1`, ... `image@2` ..."""
    kinds = [(part, slot) for slot in range(timeline.mask.shape[1]) for part in parts]
    return Tokens(
        tuple(f"{part}@{slot + 1}" for part, slot in kinds),
        tuple(kinds),
        torch.stack([parts[part][:, slot] for part, slot in kinds], dim=1),
        torch.stack([timeline.mask[:, slot] for _, slot in kinds], dim=1),
    )


def patient_token(
    name: str, values: Float[Tensor, "patient dim"], mask: Bool[Tensor, " patient"]
) -> Tokens:
    """One token that belongs to no exam."""
    return Tokens((name,), ((name, None),), values[:, None], mask[:, None])


def temporal_tokens(parts: Mapping[str, Tensor], timeline: Timeline) -> Tokens:
    """The tokens of TE-DKE: `invariant`, `varying`, `first`, `second`.

    With more than two exams, those between are `between@2` ...: `first` and `second` mixed by
    the exam's place in time, so that the two ends are the paper's tokens.
    """
    masks = {"invariant": timeline.mask.any(dim=1), "varying": timeline.mask.sum(dim=1) > 1}
    columns: list[Column] = [
        (part, (part, None), values, masks[part]) for part, values in parts.items() if part in masks
    ]
    columns += _at_exams(parts.get("first"), parts.get("second"), timeline)
    names, kinds, values, mask = zip(*columns, strict=True)
    return Tokens(names, kinds, torch.stack(values, dim=1), torch.stack(mask, dim=1))


def _at_exams(
    first: Float[Tensor, "patient slot dim"] | None,
    second: Float[Tensor, "patient slot dim"] | None,
    timeline: Timeline,
) -> list[Column]:
    last = timeline.mask.shape[1] - 1
    columns: list[Column] = []
    for slot in range(last + 1):
        later = timeline.position[:, slot, None]
        shares = []
        if first is not None and slot < last:
            shares.append(first[:, slot] * (1 - later))
        if second is not None and slot > 0:
            shares.append(second[:, slot - 1] * later)
        if shares:
            name = {0: "first", last: "second"}.get(slot, f"between@{slot + 1}")
            token = sum(shares[1:], shares[0])
            columns.append((name, (AT_EXAM, slot), token, timeline.mask[:, slot]))
    return columns


class TokenTypes(nn.Module):
    """A learned vector a kind of token; those of exams pass from one end to the other with time.

    Args:
        parts: Kinds of token that every exam has.
        temporal: Parts of TE-DKE.
        exams: How many exams are seen at most.
        dim: Width of the tokens.
        time_embedding: Add a learned direction times log(1 + years before the landmark).
    """

    def __init__(
        self,
        parts: Sequence[str],
        temporal: Sequence[str],
        exams: int,
        dim: int,
        time_embedding: bool,
    ) -> None:
        super().__init__()
        rows = dict.fromkeys(parts, min(exams, 2))
        rows |= {part: 1 for part in temporal if part not in ("first", "second")}
        rows |= {AT_EXAM: 2} if {"first", "second"} & set(temporal) else {}
        self.table = nn.ParameterDict(
            {kind: nn.Parameter(torch.randn(count, dim) * 0.02) for kind, count in rows.items()}
        )
        self.time = nn.Linear(1, dim, bias=False) if time_embedding else None

    def forward(self, tokens: Tokens, timeline: Timeline) -> Float[Tensor, "patient token dim"]:
        """What is added to each token."""
        return torch.stack([self._of(*kind, timeline) for kind in tokens.kinds], dim=1)

    def _of(self, kind: str, slot: int | None, timeline: Timeline) -> Float[Tensor, "patient dim"]:
        ends: Tensor = self.table[kind]
        if slot is None:
            return ends[0].expand(len(timeline.mask), -1)
        typed = torch.lerp(ends[0], ends[-1], timeline.position[:, slot, None])
        if self.time is None:
            return typed
        years = timeline.day[:, slot, None].abs() / DAYS_A_YEAR
        timed: Tensor = typed + self.time(torch.log1p(years))
        return timed
