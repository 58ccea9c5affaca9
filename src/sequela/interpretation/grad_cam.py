"""Grad-CAM: where in a mammogram a change would move the risk up (Selvaraju et al. 2017)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sequela.encoders.image import ImageEncoder
from sequela.errors import UsageError
from sequela.interpretation.risk_score import Score, evaluating
from sequela.modalities.batch import Batch

FINE = 7
"""Cells a side of a map that shows a place: what ResNet-50 leaves of 224 pixels."""


def grad_cam(
    model: nn.Module, batch: Batch, score: Score, *, cells: int = FINE
) -> Float[Tensor, "patient exam view row column"]:
    """The map of every view, at the resolution of the deepest feature map that is fine enough.

    The paper takes the last one, which small images leave with a few cells; there an earlier stage
    is taken, the last with as many cells a side as asked.

    A channel weighs what the score's gradient is on average over the map (eq. 1); the weighted
    sum is cut at zero (eq. 2). Maps of one patient have one scale, so that visits can be compared;
    they are not normalised. A slot without a view holds zeros.

    Args:
        model: A model whose image encoder stands at `image`, on the batch's device.
        batch: The exams that the model sees, in its own slots (`latest_exams`).
        score: What is explained, from the logits of each patient.
        cells: Cells a side that a map should have.

    Raises:
        UsageError: If the model reads no images, or its network has no feature map.
    """
    encoder = getattr(model, "image", None)
    if not isinstance(encoder, ImageEncoder) or batch.views is None or batch.view_mask is None:
        raise UsageError(
            "Grad-CAM needs a model and a batch with images; one of them has none",
            hint="explain a variant that reads images, as lumin or st-i",
        )
    stage = fine_stage(encoder.backbone, min(batch.views.shape[-2:]), cells)
    with (
        evaluating(model),
        torch.enable_grad(),
        recorded_features(encoder.backbone, stage) as found,
    ):
        total = score(model(batch).logits).sum()
        if not found:  # no patient has a view
            return batch.day.new_zeros((*batch.view_mask.shape, 1, 1))
        (gradient,) = torch.autograd.grad(total, found[0])
    channels = stage.channels if stage else int(encoder.backbone.num_features)  # type: ignore[arg-type]
    features = _channels_first(found[0].detach(), channels)
    weight = _channels_first(gradient, channels).mean(dim=(2, 3), keepdim=True)
    seen = (weight * features).sum(dim=1).relu()
    maps = seen.new_zeros((*batch.view_mask.shape, *seen.shape[1:]))
    maps[batch.view_mask] = seen
    return maps


@dataclass(frozen=True)
class Stage:
    """A stage of a timm network before its last: the module's name, and its channels."""

    module: str
    channels: int


def fine_stage(backbone: nn.Module, size: int, cells: int = FINE) -> Stage | None:
    """The deepest stage with so many cells a side, None where the last one has them.

    Args:
        backbone: A timm network; one that does not describe its stages is taken at its last.
        size: Pixels of the shorter side of an image.
        cells: Cells a side.
    """
    stages = list(getattr(backbone, "feature_info", ()))
    fine = [stage for stage in stages if size / stage["reduction"] >= cells]
    if not fine or fine[-1] is stages[-1]:
        return None
    return Stage(fine[-1]["module"], fine[-1]["num_chs"])


@contextmanager
def recorded_features(backbone: nn.Module, stage: Stage | None = None) -> Iterator[list[Tensor]]:
    """The feature maps that pass a timm network: those of a stage, or those that it pools.

    Raises:
        UsageError: If the network has no feature map.
    """
    if stage is not None:
        passed: list[Tensor] = []

        def hook(_module: nn.Module, _inputs: object, features: Tensor) -> Tensor:
            passed.append(_tracked(features))
            return passed[-1]

        handle = backbone.get_submodule(stage.module).register_forward_hook(hook)
        try:
            yield passed
        finally:
            handle.remove()
        return
    inner: Callable[..., Any] | None = getattr(backbone, "forward_features", None)
    if inner is None:
        raise UsageError(
            "Grad-CAM needs an image encoder that has a feature map",
            hint="choose a convolutional timm network, as resnet50",
        )
    found: list[Tensor] = []

    def recording(*inputs: Any, **options: Any) -> Tensor:
        found.append(_tracked(inner(*inputs, **options)))
        return found[-1]

    backbone.forward_features = recording  # type: ignore[assignment]
    try:
        yield found
    finally:
        del backbone.forward_features


def _tracked(features: Tensor) -> Tensor:
    """The features, of which a gradient can be asked even where the network is frozen."""
    return features if features.requires_grad else features.detach().requires_grad_()


def _channels_first(
    features: Float[Tensor, "view _ _ _"] | Float[Tensor, "view _ _"], channels: int
) -> Float[Tensor, "view channel row column"]:
    """The map with channels before places, whichever way the network writes it.

    Raises:
        UsageError: If places are not in a grid, as in a vision transformer.
    """
    if features.ndim == 4 and features.shape[1] == channels:
        return features
    if features.ndim == 4 and features.shape[3] == channels:
        return features.permute(0, 3, 1, 2)
    raise UsageError(
        "Grad-CAM needs a feature map of rows and columns, this image encoder has a row of tokens",
        hint="choose a convolutional timm network, as resnet50",
    )
