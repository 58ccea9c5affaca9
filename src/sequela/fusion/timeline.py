"""The exams that a model sees, each in its slot: oldest first, the landmark's last."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from sequela.modalities.batch import Batch


@dataclass(frozen=True)
class Timeline:
    """When the exams of some patients were.

    Attributes:
        mask: True where the slot holds an exam; the last slot is the landmark's.
        day: Days from each exam to the landmark, at most 0.
        position: 0 at the oldest exam that is seen, 1 at the landmark's; linear in days between.
    """

    mask: Bool[Tensor, "patient exam"]
    day: Float[Tensor, "patient exam"]
    position: Float[Tensor, "patient exam"]


def latest_exams(batch: Batch, count: int) -> Batch:
    """The last `count` exams of each patient: the oldest in slot 1, the landmark's in slot `count`.

    A patient with fewer has masked slots between; a patient with one has it in the last slot.
    """
    index, mask = _slots(batch.exam_mask, count)
    rows = torch.arange(len(batch), device=index.device)[:, None]

    def take(values: Tensor | None) -> Tensor | None:
        return None if values is None else values[rows, index]

    view_mask, text_mask = take(batch.view_mask), take(batch.text_mask)
    return replace(
        batch,
        day=batch.day[rows, index] * mask,
        exam_mask=mask,
        views=take(batch.views),
        view_kind=take(batch.view_kind),
        view_mask=None if view_mask is None else view_mask & mask[:, :, None],
        tokens=take(batch.tokens),
        token_mask=take(batch.token_mask),
        text_mask=None if text_mask is None else text_mask & mask,
    )


def _slots(
    exam_mask: Bool[Tensor, "patient exam"], count: int
) -> tuple[Int[Tensor, "patient slot"], Bool[Tensor, "patient slot"]]:
    """Which exam stands in each slot, and whether one does."""
    order = exam_mask.int().argsort(dim=1, stable=True)  # absent first, then oldest to latest
    exams, present = exam_mask.shape[1], exam_mask.sum(dim=1, keepdim=True)
    rank = torch.arange(count, device=order.device) + present - count  # of the slot's exam
    if count > 1:
        # With fewer exams than slots the oldest moves to slot 1.
        moved = (present > 1) & (rank == 0)
        rank = rank.masked_fill(moved, -1)
        rank[:, :1] = torch.where(present > 1, (present - count).clamp(min=0), rank[:, :1])
    mask = rank >= 0
    place = (exams - present + rank).clamp(0, exams - 1)
    return order.gather(1, torch.where(mask, place, exams - 1)), mask


def timeline_of(batch: Batch) -> Timeline:
    """The timeline of a batch that `latest_exams` has put in order."""
    oldest, latest = batch.day[:, :1], batch.day[:, -1:]
    position = ((batch.day - oldest) / (latest - oldest).clamp(min=1e-6)).clamp(0.0, 1.0)
    position[:, 0], position[:, -1] = 0.0, 1.0
    return Timeline(batch.exam_mask, batch.day, position)


@dataclass(frozen=True)
class Gaps:
    """The gaps between one exam and the next; the gap of slot t + 1 stands at t.

    Attributes:
        mask: True where the later slot holds an exam that has one before it.
        before: The slot of the exam before.
        scale: The patient's mean gap over this gap; exactly 1 where there is a single gap.
    """

    mask: Bool[Tensor, "patient gap"]
    before: Int[Tensor, "patient gap"]
    scale: Float[Tensor, "patient gap"]


def gaps_of(timeline: Timeline) -> Gaps:
    """The gaps of each patient's exams, over masked slots."""
    slots = torch.arange(timeline.mask.shape[1], device=timeline.mask.device)
    last_seen = torch.where(timeline.mask, slots, -1).cummax(dim=1).values
    mask = timeline.mask[:, 1:] & (last_seen[:, :-1] >= 0)
    before = last_seen[:, :-1].clamp(min=0)
    days = (timeline.day[:, 1:] - timeline.day.gather(1, before)).clamp(min=1.0) * mask
    mean = days.sum(dim=1, keepdim=True) / mask.sum(dim=1, keepdim=True).clamp(min=1)
    return Gaps(mask, before, torch.where(mask, mean / days.clamp(min=1.0), 0.0))
