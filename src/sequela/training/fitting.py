"""How a model is fitted: the settings of the loop, learning rates, parameter groups, schedule."""

from __future__ import annotations

import math
from typing import Literal

import torch
from pydantic import Field, PositiveFloat, PositiveInt
from torch import nn

from sequela.errors import UsageError
from sequela.modalities.augmentation import Augmentation
from sequela.models.build import parameter_groups
from sequela.settings import Settings
from sequela.workers import available_cores

Selection = Literal["loss", "auc", "concordance", "last"]


class FitSettings(Settings):
    """What every stage of fitting is told.

    Attributes:
        epochs: How often every example is seen, at most.
        batch: Examples a step, of all processes together.
        chunk: Examples whose activations are held at once; fewer than `batch` bound the memory by
            gradient caching, at a third more time, and leave the gradient as it is. None: all.
        batch_norm: What batch norms of the encoders go by in training: the `batch`, or, `frozen`,
            the statistics that they came with; their weights learn in both cases.
        precision: `bfloat16` computes forward passes in half precision; losses stay in single.
        new_rate: Peak learning rate of all that has none of its own.
        weight_decay: Decoupled weight decay (AdamW); 0 is Adam.
        warmup: Share of all steps in which the rates rise from 0 to their peak.
        clip: Largest norm of a step's gradient, None for no limit.
        patience: Epochs without a better one after which to stop, None for never.
        select: What the kept epoch is best at, on validation patients; `last` keeps the last.
        seed: Of weights, order, dropout and augmentation.
    """

    epochs: PositiveInt
    batch: PositiveInt = 24
    chunk: PositiveInt | None = None
    batch_norm: Literal["batch", "frozen"] = "batch"
    precision: Literal["float32", "bfloat16"] = "float32"
    new_rate: float = Field(1e-4, ge=0)
    weight_decay: float = Field(0.0, ge=0)
    warmup: float = Field(0.1, ge=0, le=1)
    clip: PositiveFloat | None = None
    patience: PositiveInt | None = None
    select: Selection = "loss"
    seed: int = Field(0, ge=0)


class EncoderFitSettings(FitSettings):
    """The same where image and text encoders are fitted.

    Attributes:
        image_rate: Peak learning rate of the image encoder.
        text_rate: Peak learning rate of the text encoder.
        augmentation: How training images are moved, None for not at all.
    """

    image_rate: float = Field(ge=0)
    text_rate: float = Field(ge=0)
    augmentation: Augmentation | None = None


class PretrainSettings(EncoderFitSettings):
    """Alignment of image and text, at the rates of the LUMIN paper.

    Attributes:
        strict_val: Keep validation patients out. False also aligns on them, as the paper does;
            the last epoch is kept then, since nobody is left to choose it on.
    """

    epochs: PositiveInt = 20
    image_rate: float = Field(1e-4, ge=0)
    text_rate: float = Field(1e-6, ge=0)
    strict_val: bool = True


class TrainSettings(EncoderFitSettings):
    """Prediction of the outcome: encoders at a tenth of their pre-training rates."""

    epochs: PositiveInt = 20
    image_rate: float = Field(1e-5, ge=0)
    text_rate: float = Field(1e-7, ge=0)
    patience: PositiveInt | None = 5


class TextPretrainSettings(FitSettings):
    """A language model of the cohort's own notes: RadioBERT's recipe, a RoBERTa from scratch.

    Attributes:
        vocabulary: Tokens of the byte-level BPE, at most.
        layers: Transformer layers.
        dim: Width.
        heads: Attention heads a layer.
        tokens: Tokens of a text that are read at once; a longer one is read in windows.
        masked: Share of the words to be guessed.
        dropout: Share of activations and attentions that training drops.
    """

    epochs: PositiveInt = 20
    batch: PositiveInt = 32
    new_rate: float = Field(1e-4, ge=0)
    weight_decay: float = Field(0.01, ge=0)
    vocabulary: int = Field(30522, ge=300)
    layers: PositiveInt = 12
    dim: PositiveInt = 768
    heads: PositiveInt = 12
    tokens: int = Field(512, ge=8)
    masked: float = Field(0.15, gt=0, lt=1)
    dropout: float = Field(0.1, ge=0, lt=1)


class MachineSettings(Settings):
    """Where and how the work is done; never part of what a run is.

    Attributes:
        device: `auto` takes a GPU where there is one.
        threads: Cores that all processes together may use, 0 for all of the machine.
        workers: Threads that load batches ahead; any number gives the same weights.
        jobs: Runs that are trained side by side, each in its own process; 0 takes one a core up
            to 4, and one on a GPU.
        save_minutes: A run is saved at every epoch's end, and within long epochs this often.
    """

    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: int = Field(0, ge=0)
    workers: int = Field(1, ge=0)
    jobs: int = Field(0, ge=0)
    save_minutes: PositiveFloat = 10.0

    @property
    def cores(self) -> int:
        """Threads that all processes together may use."""
        return self.threads or available_cores()

    def jobs_for(self, tasks: int) -> int:
        """Processes for so many runs."""
        automatic = 1 if self.torch_device().type == "cuda" else min(self.cores, 4)
        return max(1, min(tasks, self.jobs or automatic))

    def torch_device(self) -> torch.device:
        """The device to compute on.

        Raises:
            UsageError: If a GPU is asked for and there is none.
        """
        if self.device == "cuda" and not torch.cuda.is_available():
            raise UsageError(
                "machine.device is cuda, but torch sees no GPU here",
                hint="set machine.device=cpu, or ask `sequela doctor`",
            )
        automatic = "cuda" if torch.cuda.is_available() else "cpu"
        return torch.device(automatic if self.device == "auto" else self.device)


def build_optimizer(model: nn.Module, settings: FitSettings) -> torch.optim.Optimizer:
    """AdamW over image encoder, text encoder and new modules, each at its own peak rate.

    Norms and biases are not decayed.
    """
    return torch.optim.AdamW(
        [
            {
                "params": parameters,
                "lr": 0.0,
                "peak": getattr(settings, f"{name}_rate"),
                "rate": name,
                "weight_decay": settings.weight_decay if decayed else 0.0,
            }
            for name, group in parameter_groups(model).items()
            for decayed, parameters in _by_decay(group)
        ],
        fused=True,
    )


def _by_decay(group: list[nn.Parameter]) -> list[tuple[bool, list[nn.Parameter]]]:
    learning = [parameter for parameter in group if parameter.requires_grad]
    weights = [parameter for parameter in learning if parameter.ndim > 1]
    others = [parameter for parameter in learning if parameter.ndim <= 1]
    return [(decayed, found) for decayed, found in ((True, weights), (False, others)) if found]


def schedule(step: int, steps: int, warmup: float) -> float:
    """The share of the peak rate at a step: a linear rise, then half a cosine to 0.

    Args:
        step: Steps done before this one.
        steps: Steps of the whole fit.
        warmup: Share of the steps that rise.
    """
    rising = round(warmup * steps)
    if step < rising:
        return (step + 1) / rising
    done = (step - rising) / max(1, steps - rising)
    return 0.5 * (1 + math.cos(math.pi * done))


def set_rates(optimizer: torch.optim.Optimizer, share: float) -> dict[str, float]:
    """Set every group to `share` of its peak; the rates by the name of the group."""
    for group in optimizer.param_groups:
        group["lr"] = share * group["peak"]
    return {group["rate"]: group["lr"] for group in optimizer.param_groups}
