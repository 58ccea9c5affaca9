"""What a fit makes small, and what it is judged by on validation patients."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from sequela.errors import UsageError
from sequela.modalities.batch import Batch
from sequela.models.contrastive import AlignmentModel, symmetric_info_nce
from sequela.models.heads import Head, completed
from sequela.survival.followup import Followup
from sequela.training.gradient import Outputs
from sequela.training.judgement import Target, judged
from sequela.training.sampling import (
    Rows,
    ordered_batches,
    patient_unique_batches,
    shuffled_batches,
)

Loaded = Iterable[tuple[Rows, Batch]]
Judged = Sequence[tuple[Rows, Outputs]]
"""The rows of each validation batch, and what the model says of them."""


@runtime_checkable
class Objective(Protocol):
    """Batches, their loss, and the judgement of an epoch; all that the loop needs to know.

    A model's outputs are a row an example, so that a batch may pass in pieces and in several
    processes; the loss sees the outputs of the whole batch.
    """

    def training_batches(self, epoch: int) -> list[Rows]:
        """The rows of each batch of an epoch."""
        ...

    def validation_batches(self) -> list[Rows]:
        """The rows of each validation batch, the same in every epoch."""
        ...

    def outputs(self, model: nn.Module, batch: Batch) -> Outputs:
        """What the model says of some examples of a batch."""
        ...

    def loss(self, model: nn.Module, outputs: Outputs, rows: Rows) -> Float[Tensor, ""]:
        """The mean loss of a whole batch."""
        ...

    def validate(self, model: nn.Module, found: Judged) -> dict[str, float]:
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

    def outputs(self, model: nn.Module, batch: Batch) -> Outputs:
        """The logits, and what the model asks of its parts, the same in every row of a piece."""
        output = model(batch)
        logits = _full(output.logits)
        penalty = logits.new_zeros(()) if output.penalty is None else _full(output.penalty)
        return logits, penalty.expand(len(logits))

    def loss(self, model: nn.Module, outputs: Outputs, rows: Rows) -> Float[Tensor, ""]:
        """The head's loss of the model's logits, and what the model asks of its parts.

        Raises:
            UsageError: If the model asks something of a batch that was passed in pieces.
        """
        logits, penalty = outputs
        if (penalty != penalty[0]).any():
            raise UsageError(
                "the decomposition loss correlates parts over a whole batch, and this one is "
                "passed in pieces",
                hint="leave train.chunk away and train in one process, or set the weights of "
                "model.decomposition_loss to 0",
            )
        return self.head.loss(logits, self.followup[rows]) + penalty.mean()

    def validate(self, model: nn.Module, found: Judged) -> dict[str, float]:
        """The loss over all validation patients at once, as a partial likelihood must be."""
        if not len(self.examples.validation):
            return {}
        logits = torch.cat([outputs[0] for _, outputs in found])
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
    """Images and texts of the same exam brought together (LUMIN eqs. 1-3).

    Attributes:
        patients: Whose each exam is.
        texts: A number each exam; equal where the texts are.
        examples: What is learnt from.
    """

    patients: tuple[str, ...]
    texts: Int[np.ndarray, " pair"]
    examples: Examples

    def training_batches(self, epoch: int) -> list[Rows]:
        """At most one exam of a patient in a batch, in an order of the epoch's own."""
        chosen = self.examples
        return patient_unique_batches(chosen.train, self.patients, chosen.batch, chosen.seed, epoch)

    def validation_batches(self) -> list[Rows]:
        """The same, in one order for all epochs: the loss depends on who is contrasted."""
        chosen = self.examples
        return patient_unique_batches(chosen.validation, self.patients, chosen.batch, 0, 0)

    def outputs(self, model: nn.Module, batch: Batch) -> Outputs:
        """The unit vectors of image and text of each exam."""
        images, texts, _ = model(batch)
        return _full(images), _full(texts)

    def loss(self, model: nn.Module, outputs: Outputs, rows: Rows) -> Float[Tensor, ""]:
        """The symmetric contrastive loss of the batch's exams, equal texts masked."""
        images, texts = outputs
        numbers = torch.from_numpy(self.texts[rows]).to(images.device)
        scale = cast(AlignmentModel, model).scale
        return symmetric_info_nce(images, texts, scale, numbers[:, None] == numbers)

    def validate(self, model: nn.Module, found: Judged) -> dict[str, float]:
        """The mean loss of the exams, nothing where there are none."""
        losses = [(float(self.loss(model, outputs, rows)), len(rows)) for rows, outputs in found]
        exams = sum(count for _, count in losses)
        return {"loss": sum(loss * count for loss, count in losses) / exams} if exams else {}

    def conclude(
        self, model: nn.Module, load: Callable[[Sequence[Rows]], Loaded]
    ) -> dict[str, Any]:
        """Nothing: the weights say it all."""
        return {}


@dataclass(frozen=True)
class MaskedLanguage:
    """Hidden words of notes guessed from those around them."""

    examples: Examples

    def training_batches(self, epoch: int) -> list[Rows]:
        """Training windows in an order of the epoch's own."""
        chosen = self.examples
        return shuffled_batches(chosen.train, chosen.batch, chosen.seed, epoch)

    def validation_batches(self) -> list[Rows]:
        """Validation windows in their order."""
        return ordered_batches(self.examples.validation, self.examples.batch)

    def outputs(self, model: nn.Module, batch: Batch) -> Outputs:
        """The surprise at each window's hidden words, and how many it has."""
        surprise, words = model(batch)
        return _full(surprise), words

    def loss(self, model: nn.Module, outputs: Outputs, rows: Rows) -> Float[Tensor, ""]:
        """The mean surprise at a hidden word."""
        surprise, words = outputs
        return surprise.sum() / words.sum().clamp(min=1)

    def validate(self, model: nn.Module, found: Judged) -> dict[str, float]:
        """The mean surprise and the perplexity, nothing where there are no windows."""
        if not found:
            return {}
        loss = float(sum(outputs[0].sum() for _, outputs in found)) / max(
            1.0, float(sum(outputs[1].sum() for _, outputs in found))
        )
        return {"loss": loss, "perplexity": math.exp(loss)}

    def conclude(
        self, model: nn.Module, load: Callable[[Sequence[Rows]], Loaded]
    ) -> dict[str, Any]:
        """Nothing: the weights say it all."""
        return {}


def _full(values: Tensor) -> Tensor:
    """At least single precision: what autocast left in half is too coarse for a loss."""
    return values.to(torch.promote_types(values.dtype, torch.float32))
