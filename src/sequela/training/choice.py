"""Which epoch is kept, and when a fit is at its end."""

from __future__ import annotations

from collections.abc import Sequence

from sequela.training.checkpoint import Epoch
from sequela.training.fitting import FitSettings


def best_epoch(history: Sequence[Epoch], settings: FitSettings) -> int:
    """The index of the epoch to keep, the earliest of equals."""
    if settings.select == "last":
        return len(history) - 1
    sign = 1 if settings.select == "loss" else -1
    scores = [sign * epoch.validation[settings.select] for epoch in history]
    return scores.index(min(scores))


def to_keep(history: Sequence[Epoch], settings: FitSettings) -> bool:
    """Whether the last epoch is the one to keep, as far as is known."""
    if settings.select == "last":
        return len(history) == settings.epochs
    return best_epoch(history, settings) == len(history) - 1


def finished(history: Sequence[Epoch], settings: FitSettings) -> bool:
    """Whether all epochs are done, or validation no longer improves."""
    if len(history) >= settings.epochs:
        return True
    if settings.patience is None or settings.select == "last" or not history:
        return False
    return len(history) - 1 - best_epoch(history, settings) >= settings.patience
