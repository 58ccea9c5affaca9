"""Patients divided into parts that hold their share of patients and of events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Int

Part = Literal["train", "validation", "test"]
PARTS: tuple[Part, ...] = ("train", "validation", "test")


@dataclass(frozen=True)
class Groups:
    """Patients by id, whether each has the event, and what each must stay together with."""

    patients: tuple[str, ...]
    event: Bool[np.ndarray, " patient"]
    group: tuple[str, ...]

    def take(self, rows: Bool[np.ndarray, " patient"]) -> Groups:
        """The patients of some rows."""
        where = np.flatnonzero(rows)
        return Groups(
            tuple(self.patients[row] for row in where),
            self.event[where],
            tuple(self.group[row] for row in where),
        )


def divide(
    groups: Groups, shares: Sequence[float], random: np.random.Generator
) -> Int[np.ndarray, " patient"]:
    """The part of each patient, so that parts hold their share of patients and of events."""
    if len(set(groups.group)) == len(groups.group):
        return _divide_patients(groups.event, shares, random)
    return _divide_groups(groups, shares, random)


def _divide_patients(
    event: Bool[np.ndarray, " patient"], shares: Sequence[float], random: np.random.Generator
) -> Int[np.ndarray, " patient"]:
    part = np.zeros(len(event), dtype=np.int64)
    for stratum in (event, ~event):
        rows = random.permutation(np.flatnonzero(stratum))
        cuts = np.round(np.cumsum(shares)[:-1] * len(rows)).astype(np.int64)
        for index, chosen in enumerate(np.split(rows, cuts)):
            part[chosen] = index
    return part


def _divide_groups(
    groups: Groups, shares: Sequence[float], random: np.random.Generator
) -> Int[np.ndarray, " patient"]:
    """Groups with most events first, each into the part that it brings nearest to its share."""
    names, group = np.unique(np.array(groups.group), return_inverse=True)
    sizes = np.stack([np.bincount(group), np.bincount(group, weights=groups.event)])
    wanted = np.outer(sizes.sum(axis=1), shares).clip(min=1e-9)
    filled = np.zeros_like(wanted)
    part = np.zeros(len(names), dtype=np.int64)
    shuffled = random.permutation(len(names))
    for index in shuffled[np.lexsort(-sizes[:, shuffled])]:
        added = (filled + sizes[:, index, None]) / wanted
        gain = (added - 1) ** 2 - (filled / wanted - 1) ** 2
        part[index] = np.argmin(gain.sum(axis=0) * np.array(shares))
        filled[:, part[index]] += sizes[:, index]
    return part[group]


def with_validation(
    groups: Groups, test: Bool[np.ndarray, " patient"], share: float, random: np.random.Generator
) -> list[Part]:
    """The part of each patient, validation drawn out of those who are not tested."""
    part = np.full(len(test), PARTS.index("test"))
    part[~test] = divide(groups.take(~test), (1 - share, share), random)
    return [PARTS[index] for index in part]
