"""What a fit makes small, and what it is judged by on validation patients."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sequela.modalities.batch import Batch
from sequela.models.contrastive import AlignmentModel
from sequela.models.heads import Head, completed
from sequela.survival.followup import Followup
from sequela.training.judgement import Target, judged
from sequela.training.sampling import (
    Rows,
    ordered_batches,
    patient_unique_batches,
    shuffled_batches,
)

Loaded = Iterable[tuple[Rows, Batch]]


@runtime_checkable
class Objective(Protocol):
    """Batches, their loss, and the judgement of an epoch; all that the loop needs to know."""

    def training_batches(self, epoch: int) -> list[Rows]:
        """The rows of each batch of an epoch."""
        ...

    def validation_batches(self) -> list[Rows]:
        """The rows of each validation batch, the same in every epoch."""
        ...

    def loss(self, model: nn.Module, batch: Batch, rows: Rows) -> Float[Tensor, ""]:
        """The mean loss of a batch."""
        ...

    def validate(self, model: nn.Module, batches: Loaded) -> dict[str, float]:
        """`loss`, and what else is defined, over all validation batches."""
        ...

    def conclude(
        self, model: nn.Module, load: Callable[[Sequence[Rows]], Loaded]
    ) -> dict[str, Any]:
        """What the checkpoint is to say beside the kept weights that could not be said before."""
        ...


@dataclass(frozen=True)
class Examples:
    """Which rows a fit may learn from, and which it is judged by.

    Attributes:
        train: Rows of training patients.
        validation: Rows of validation patients; empty where no epoch is chosen.
        batch: Rows a step.
        seed: Of the order.
    """

    train: Rows
    validation: Rows
    batch: int
    seed: int


@dataclass(frozen=True)
class Supervised:
    """Prediction of what became of each patient, by the loss of a head."""

    head: Head
    followup: Followup
    target: Target
    examples: Examples

    def training_batches(self, epoch: int) -> list[Rows]:
        """Training rows in an order of the epoch's own."""
        chosen = self.examples
        return shuffled_batches(chosen.train, chosen.batch, chosen.seed, epoch)

    def validation_batches(self) -> list[Rows]:
        """Validation rows in their order."""
        return ordered_batches(self.examples.validation, self.examples.batch)

    def loss(self, model: nn.Module, batch: Batch, rows: Rows) -> Float[Tensor, ""]:
        """The head's loss of the model's logits, and what the model asks of its parts."""
        output = model(batch)
        loss = self.head.loss(output.logits.float(), self.followup[rows])
        return loss if output.penalty is None else loss + output.penalty

    def validate(self, model: nn.Module, batches: Loaded) -> dict[str, float]:
        """The loss over all validation patients at once, as a partial likelihood must be."""
        if not len(self.examples.validation):
            return {}
        logits = torch.cat([model(batch).logits.float() for _, batch in batches])
        followup = self.followup[self.examples.validation]
        risk = self.head.risk(logits).double().cpu().numpy()
        loss = self.head.loss(logits, followup).item()
        return {"loss": loss, **judged(risk, followup, self.target)}

    def conclude(
        self, model: nn.Module, load: Callable[[Sequence[Rows]], Loaded]
    ) -> dict[str, Any]:
        """The head, with what it fits on the final logits of training patients."""
        rows = self.examples.train
        batches = ordered_batches(rows, self.examples.batch)

        def logits() -> Float[Tensor, "patient logit"]:
            return torch.cat([model(batch).logits.float() for _, batch in load(batches)])

        return {"head": completed(self.head, logits, self.followup[rows]).state()}


@dataclass(frozen=True)
class Alignment:
    """Images and texts of the same exam brought together (LUMIN eqs. 1-3)."""

    patients: tuple[str, ...]
    examples: Examples

    def training_batches(self, epoch: int) -> list[Rows]:
        """At most one exam of a patient in a batch, in an order of the epoch's own."""
        chosen = self.examples
        return patient_unique_batches(chosen.train, self.patients, chosen.batch, chosen.seed, epoch)

    def validation_batches(self) -> list[Rows]:
        """The same, in one order for all epochs: the loss depends on who is contrasted."""
        chosen = self.examples
        return patient_unique_batches(chosen.validation, self.patients, chosen.batch, 0, 0)

    def loss(self, model: nn.Module, batch: Batch, rows: Rows) -> Float[Tensor, ""]:
        """The symmetric contrastive loss of the batch's exams."""
        return cast(AlignmentModel, model).loss(batch)

    def validate(self, model: nn.Module, batches: Loaded) -> dict[str, float]:
        """The mean loss of the exams, nothing where there are none."""
        losses = [(float(self.loss(model, batch, rows)), len(rows)) for rows, batch in batches]
        exams = sum(count for _, count in losses)
        return {"loss": sum(loss * count for loss, count in losses) / exams} if exams else {}

    def conclude(
        self, model: nn.Module, load: Callable[[Sequence[Rows]], Loaded]
    ) -> dict[str, Any]:
        """Nothing: the weights say it all."""
        return {}
