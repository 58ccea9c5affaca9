"""Batch norm over the images of all processes, so that a batch is a batch wherever it stands."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from jaxtyping import Float
from torch import Tensor, nn

from sequela.encoders.image import ImageEncoder
from sequela.errors import UsageError
from sequela.training.processes import count


class SharedBatchNorm(nn.Module):
    """A batch norm whose mean and variance in training are those of all processes' batches.

    It takes the place of a norm of torch or timm under the same names and with the same weights.
    Unlike torch's own it also works on processors; timm's activation after the norm stays.

    Args:
        norm: The norm whose place it takes.
    """

    running_mean: Float[Tensor, " feature"]
    running_var: Float[Tensor, " feature"]
    num_batches_tracked: Tensor

    def __init__(self, norm: Any) -> None:
        super().__init__()
        self.weight, self.bias = norm.weight, norm.bias
        for name in ("running_mean", "running_var", "num_batches_tracked"):
            self.register_buffer(name, getattr(norm, name))
        self.momentum, self.eps = float(norm.momentum), float(norm.eps)
        self.drop, self.act = (getattr(norm, name, None) for name in ("drop", "act"))

    def forward(self, images: Float[Tensor, "image feature *place"]) -> Tensor:
        """The normalised features."""
        mean, variance = self.running_mean, self.running_var
        if self.training:
            mean, variance = self._of_all(images.to(self.running_mean.dtype))
        shape = (1, -1, *(1,) * (images.ndim - 2))
        scale = self.weight * torch.rsqrt(variance + self.eps)
        shift = self.bias - mean * scale
        result = images * scale.view(shape) + shift.view(shape)
        for after in (self.drop, self.act):
            result = result if after is None else after(result)
        normal: Tensor = result.to(images.dtype)
        return normal

    def _of_all(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and variance in two rounds, for a sum of squares loses what is small beside it."""
        axes = (0, *range(2, images.ndim))
        shape = (1, -1, *(1,) * (images.ndim - 2))
        number = images.new_tensor([images.numel() / images.shape[1]])
        dist.all_reduce(number)
        number = number.clamp(min=1)  # no process may have an image
        mean = _Summed.apply(images.sum(axes)) / number
        squares = (images - mean.view(shape)).square().sum(axes)
        variance = _Summed.apply(squares) / number
        if number > 1:
            self._learn(mean.detach(), variance.detach(), number)
        return mean, variance

    def _learn(self, mean: Tensor, variance: Tensor, number: Tensor) -> None:
        unbiased = variance * number / (number - 1)
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(unbiased, self.momentum)
        self.num_batches_tracked += 1


class _Summed(torch.autograd.Function):
    """The sum over the processes; each of them is told how the others depend on it."""

    @staticmethod
    def forward(_: Any, own: Tensor) -> Tensor:
        total = own.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(_: Any, gradient: Tensor) -> Tensor:
        total = gradient.clone()
        dist.all_reduce(total)
        return total


def share_norms(model: nn.Module) -> None:
    """Make the batch norms of `model` look at all processes' batches, where there are several.

    Raises:
        UsageError: If a norm is of a kind that cannot be shared.
    """
    if count() == 1:
        return
    for name, module in list(model.named_modules()):
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            if module.momentum is None or not (module.affine and module.track_running_stats):
                raise UsageError(
                    f"batch norm {name} cannot be shared by several processes",
                    hint="set batch_norm=frozen, or train in one process",
                )
            place, _, last = name.rpartition(".")
            setattr(model.get_submodule(place), last, SharedBatchNorm(module))
    for module in model.modules():
        if isinstance(module, ImageEncoder):
            module.waited_for = True
