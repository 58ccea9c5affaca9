"""A fit inside a run's folder: log, best weights, progress; the same for every stage."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from torch import nn

from sequela.progress import Advance, console
from sequela.storage import fingerprint, require_space
from sequela.training import processes
from sequela.training.checkpoint import Epoch, read_tensors, write_tensors
from sequela.training.loading import read_ahead
from sequela.training.loop import Fit, fit
from sequela.training.objectives import Loaded
from sequela.training.run import Purpose, Run, opened_run
from sequela.training.sampling import Rows
from sequela.training.vocabulary import keep_tokenizer

# Weights and two moments, then the best weights; each once more while it is written.
_COPIES = 8


def run_of(
    folder: Path,
    purpose: Purpose,
    task: Fit,
    metadata: dict[str, Any],
    advance: Advance = lambda _: None,
    *,
    tokenizer: Any = None,
    restart: bool = False,
) -> Run:
    """The run in `folder`, fitted to its end; a finished one is left as it is.

    Args:
        folder: The run's; process 0 holds it for all.
        purpose: What the run is for.
        task: What is fitted.
        metadata: What using the weights needs beside them.
        advance: Told of epochs.
        tokenizer: Kept in the folder, if the model reads texts.
        restart: Throw away what stands in the folder.
    """
    run = Run(folder)
    with ExitStack() as held:
        opened = opened_run(folder, purpose, restart=restart)
        processes.by_first(lambda: held.enter_context(opened))
        if processes.agreed(run.finished):
            if processes.number() == 0:
                console.print(f"{run.name} is finished already", highlight=False)
            advance(task.settings.epochs)
        else:
            processes.by_first(lambda: keep_tokenizer(tokenizer, run))
            begun = {"initial_weights": weights_fingerprint(task.model)}
            fit_run(run, task, {**metadata, **begun}, advance)
        processes.agreed(None)
    return run


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
        if processes.number():
            return
        told = {"epoch": epoch.epoch, "validation": dict(epoch.validation)}
        write_tensors(
            run.checkpoint, model.state_dict(), {**metadata, **told, "epoch_chosen_on": chosen_on}
        )

    def report(history: Sequence[Epoch]) -> None:
        nonlocal done
        if processes.number() == 0:
            run.write_log(history)
        advance(len(history) - done)
        done = len(history)

    fit(task, run.state, keep, report, lambda: _conclude(run, task))
    advance(task.settings.epochs - done)


def _conclude(run: Run, task: Fit) -> None:
    """Add to the checkpoint what only the kept weights can tell."""
    tensors, metadata = read_tensors(run.checkpoint)
    task.model.load_state_dict(tensors)
    task.model.eval()
    device = task.machine.torch_device()

    def load(batches: Sequence[Rows]) -> Loaded:
        for rows, batch in read_ahead(task.plain, batches, task.machine.workers):
            yield rows, batch.to(device)

    with torch.no_grad():
        told = task.objective.conclude(task.model, load)
    if {name: metadata.get(name) for name in told} != told:
        write_tensors(run.checkpoint, tensors, {**metadata, **told})


def weights_fingerprint(model: nn.Module) -> str:
    """SHA-256 of a model's weights and buffers; before a fit, those of published encoders too."""
    state = sorted(model.state_dict().items())
    plain = ((name, tensor.detach().cpu().flatten().contiguous()) for name, tensor in state)
    return fingerprint(
        *(fingerprint(name, one.view(torch.uint8).numpy().tobytes()) for name, one in plain)
    )


def weight_bytes(model: nn.Module) -> int:
    """The size of a model's weights and buffers."""
    return sum(tensor.nbytes for tensor in model.state_dict().values())
