"""A fit inside a run's folder: log, best weights, progress; the same for every stage."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn

from sequela.progress import Advance
from sequela.storage import require_space
from sequela.training.checkpoint import Epoch, write_tensors
from sequela.training.loop import Fit, fit
from sequela.training.run import Run

# Weights and two moments, then the best weights; each once more while it is written.
_COPIES = 8


def fit_run(run: Run, task: Fit, metadata: dict[str, Any], advance: Advance) -> None:
    """Fit until done, and leave the best epoch's weights in the run's checkpoint.

    Args:
        run: Where; what stands there is gone on with.
        task: What is fitted.
        metadata: What using the weights needs beside them.
        advance: Told of every epoch that need not be waited for any more.

    Raises:
        ResourceLimitError: If the disk cannot hold weights and state.
    """
    require_space(run.folder, _COPIES * weight_bytes(task.model))
    chosen_on = "none" if task.settings.select == "last" else "validation"
    done = 0

    def keep(model: nn.Module, epoch: Epoch) -> None:
        told = {"epoch": epoch.epoch, "validation": dict(epoch.validation)}
        write_tensors(
            run.checkpoint, model.state_dict(), {**metadata, **told, "epoch_chosen_on": chosen_on}
        )

    def report(history: Sequence[Epoch]) -> None:
        nonlocal done
        run.write_log(history)
        advance(len(history) - done)
        done = len(history)

    fit(task, run.state, keep, report)
    advance(task.settings.epochs - done)


def weight_bytes(model: nn.Module) -> int:
    """The size of a model's weights and buffers."""
    return sum(tensor.nbytes for tensor in model.state_dict().values())
