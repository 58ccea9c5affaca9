"""What a stage would do here, how long it would take and how much it would fill."""

from __future__ import annotations

import resource
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch

from sequela.training import processes
from sequela.training.baselines import baseline_name
from sequela.training.fit_run import weight_bytes
from sequela.training.language import NAME as LANGUAGE
from sequela.training.language import reading
from sequela.training.loop import Fit, step_seconds
from sequela.training.pretraining import NAME, aligning
from sequela.training.project import Fold, Project
from sequela.training.run import Run
from sequela.training.stages import is_fusion, require_known, with_members
from sequela.training.supervision import training

# Weights, two moments and the best weights.
_FILES = 4
# A forward pass costs about a third of a step.
_VALIDATION = 1 / 3


@dataclass(frozen=True)
class Planned:
    """One run, before it is begun.

    Attributes:
        name: Of the run.
        finished: Whether it stands there already, so that nothing would be done.
        training: Examples to learn from.
        validation: Examples to choose the epoch by.
        batches: Steps an epoch.
        epochs: At most; early stopping may make them fewer.
        parameters: That are learnt.
        seconds: From the time that a few steps took on this machine.
        memory: Bytes that the process, or the GPU, held at the most in these steps.
        disk: Bytes of weights and state.
    """

    name: str
    finished: bool
    training: int = 0
    validation: int = 0
    batches: int = 0
    epochs: int = 0
    parameters: int = 0
    seconds: float = 0.0
    memory: int = 0
    disk: int = 0

    def as_json(self) -> dict[str, Any]:
        """The plan in values that JSON holds."""
        return asdict(self)

    def __str__(self) -> str:
        if self.finished:
            return f"{self.name}: finished already, nothing to do"
        if not self.epochs:
            return f"{self.name}: a moment"
        return (
            f"{self.name}: {self.training:,} training and {self.validation:,} validation examples, "
            f"{self.batches} batches × at most {self.epochs} epochs, {self.parameters:,} "
            f"parameters; at most {_duration(self.seconds)}, {self.memory / 1e9:.1f} GB of memory, "
            f"{self.disk / 1e6:.0f} MB on disk"
        )


def plan_pretraining(project: Project) -> list[Planned]:
    """What `pretrain_all` would do."""
    torch.set_num_threads(processes.threads(project.configuration.machine.cores))
    return [plan_alignment(project, fold) for fold in project.folds]


def plan_language(project: Project) -> list[Planned]:
    """What `pretrain_text_all` would do."""
    torch.set_num_threads(processes.threads(project.configuration.machine.cores))
    return [
        _planned(Run(project.run_folder(LANGUAGE, fold)), reading(project, fold).task)
        for fold in project.folds
    ]


def plan_training(project: Project, variants: Sequence[str]) -> list[Planned]:
    """What `train_all` would do; runs side by side take less than their sum."""
    require_known(variants)
    torch.set_num_threads(processes.threads(project.configuration.machine.cores))
    names = with_members(variants)
    return [plan_run(project, name, fold) for name in names for fold in project.folds]


def plan_alignment(project: Project, fold: Fold) -> Planned:
    """What `pretrain` would do."""
    return _planned(Run(project.run_folder(NAME, fold)), aligning(project, fold).task)


def plan_run(project: Project, name: str, fold: Fold) -> Planned:
    """What `train` would do for one variant or baseline."""
    run = Run(project.run_folder(name, fold))
    if baseline_name(name) or is_fusion(name):
        return Planned(run.name, finished=run.finished)
    return _planned(run, training(project, name, fold).task)


def _planned(run: Run, task: Fit) -> Planned:
    if run.finished:
        return Planned(run.name, finished=True)
    batches, checks = task.objective.training_batches(0), task.objective.validation_batches()
    parameters = sum(weight.numel() for weight in task.model.parameters() if weight.requires_grad)
    disk = _FILES * weight_bytes(task.model)
    epochs = task.settings.epochs
    step = step_seconds(task)
    return Planned(
        run.name,
        finished=False,
        training=sum(map(len, batches)),
        validation=sum(map(len, checks)),
        batches=len(batches),
        epochs=epochs,
        parameters=parameters,
        seconds=epochs * step * (len(batches) + _VALIDATION * len(checks)),
        memory=_memory(task),
        disk=disk,
    )


def _memory(task: Fit) -> int:
    if task.machine.torch_device().type == "cuda":
        return int(torch.cuda.max_memory_allocated())
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
