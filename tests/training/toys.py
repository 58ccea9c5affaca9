"""Small stand-ins: a model of dropout, norm and two encoders, and patients made of numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sequela.modalities.batch import Batch
from sequela.models.output import Output
from sequela.survival.followup import Followup
from sequela.training.fitting import MachineSettings, TrainSettings
from sequela.training.gradient import Outputs
from sequela.training.loop import Fit
from sequela.training.objectives import Judged
from sequela.training.sampling import Rows, ordered_batches, shuffled_batches

FEATURES = 4
QUICK = TrainSettings(epochs=3, batch=4, image_rate=1e-2, text_rate=1e-3, new_rate=1e-2)
MACHINE = MachineSettings(device="cpu", threads=1, workers=0)


class ToyModel(nn.Module):
    def __init__(self, logits: int = 1) -> None:
        super().__init__()
        backbone = nn.Sequential(nn.Linear(FEATURES, 8), nn.BatchNorm1d(8))
        self.image = nn.ModuleDict({"backbone": backbone})
        self.text = nn.ModuleDict({"backbone": nn.Linear(FEATURES, 8)})
        self.dropout = nn.Dropout(0.5)
        self.head = nn.Linear(16, logits)

    def forward(self, batch: Batch) -> Output:
        clinical = batch.clinical
        assert clinical is not None
        encoders = (self.image["backbone"], self.text["backbone"])
        vector = torch.cat([encoder(clinical) for encoder in encoders], dim=1)
        return Output(self.head(self.dropout(vector)))


@dataclass(frozen=True)
class ToyInputs:
    values: Tensor

    def __len__(self) -> int:
        return len(self.values)

    def at(self, epoch: int) -> ToyInputs:
        return self

    def __getitem__(self, index: int) -> Batch:
        return Batch(
            day=torch.zeros(1, 1),
            exam_mask=torch.ones(1, 1, dtype=torch.bool),
            clinical=self.values[index : index + 1],
            clinical_mask=torch.ones(1, FEATURES, dtype=torch.bool),
        )


@dataclass(frozen=True)
class ToyObjective:
    """Whether the first value is above 0; loss becomes nan at the rows named."""

    label: Tensor
    poisoned: frozenset[int] = frozenset()

    def training_batches(self, epoch: int) -> list[Rows]:
        return shuffled_batches(np.arange(len(self.label) - 6), 4, 0, epoch)

    def validation_batches(self) -> list[Rows]:
        return ordered_batches(np.arange(len(self.label) - 6, len(self.label)), 4)

    def outputs(self, model: nn.Module, batch: Batch) -> Outputs:
        return (model(batch).logits,)

    def loss(self, model: nn.Module, outputs: Outputs, rows: Rows) -> Tensor:
        logits = outputs[0][:, 0]
        loss = nn.functional.binary_cross_entropy_with_logits(logits, self.label[rows])
        return loss * float("nan") if self.poisoned & set(rows.tolist()) else loss

    def validate(self, model: nn.Module, found: Judged) -> dict[str, float]:
        losses = [float(self.loss(model, outputs, rows)) * len(rows) for rows, outputs in found]
        return {"loss": sum(losses) / 6}

    def conclude(
        self, model: nn.Module, load: Callable[[Sequence[Rows]], Loaded]
    ) -> dict[str, Any]:
        return {}


def toy_inputs(patients: int = 22) -> ToyInputs:
    return ToyInputs(torch.randn(patients, FEATURES, generator=torch.Generator().manual_seed(7)))


def toy_fit(
    settings: TrainSettings = QUICK,
    machine: MachineSettings = MACHINE,
    poisoned: frozenset[int] = frozenset(),
) -> Fit:
    inputs = toy_inputs()
    torch.manual_seed(settings.seed)
    model = ToyModel()
    objective = ToyObjective((inputs.values[:, 0] > 0).float(), poisoned)
    return Fit(model, objective, inputs, inputs, settings, machine)


def toy_followup(patients: int = 22) -> Followup:
    generator = np.random.default_rng(3)
    return Followup(
        time=generator.uniform(1, 3000, patients), event=generator.integers(0, 2, patients)
    )
