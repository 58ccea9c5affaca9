"""Grad-CAM: where in a mammogram a change would move the risk up (Selvaraju et al. 2017)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sequela.encoders.image import ImageEncoder
from sequela.errors import UsageError
from sequela.interpretation.risk_score import Score, evaluating
from sequela.modalities.batch import Batch


def grad_cam(
    model: nn.Module, batch: Batch, score: Score
) -> Float[Tensor, "patient exam view row column"]:
    """The map of every view, at the resolution of the network's last feature map.

    A channel weighs what the score's gradient is on average over the map (eq. 1); the weighted
    sum is cut at zero (eq. 2). Maps of one patient have one scale, so that visits can be compared;
    they are not normalised. A slot without a view holds zeros.

    Args:
        model: A model whose image encoder stands at `image`, on the batch's device.
        batch: The exams that the model sees, in its own slots (`latest_exams`).
        score: What is explained, from the logits of each patient.

    Raises:
        UsageError: If the model reads no images, or its network has no feature map.
    """
    encoder = getattr(model, "image", None)
    if not isinstance(encoder, ImageEncoder) or batch.views is None or batch.view_mask is None:
        raise UsageError(
            "Grad-CAM needs a model and a batch with images; one of them has none",
            hint="explain a variant that reads images, as lumin or st-i",
        )
    with evaluating(model), torch.enable_grad(), recorded_features(encoder.backbone) as found:
        total = score(model(batch).logits).sum()
        if not found:  # no patient has a view
            return batch.day.new_zeros((*batch.view_mask.shape, 1, 1))
        (gradient,) = torch.autograd.grad(total, found[0])
    features = _channels_first(found[0].detach(), encoder.backbone)
    weight = _channels_first(gradient, encoder.backbone).mean(dim=(2, 3), keepdim=True)
    seen = (weight * features).sum(dim=1).relu()
    maps = seen.new_zeros((*batch.view_mask.shape, *seen.shape[1:]))
    maps[batch.view_mask] = seen
    return maps


@contextmanager
def recorded_features(backbone: nn.Module) -> Iterator[list[Tensor]]:
    """The feature maps that pass a timm network, before it pools them.

    Raises:
        UsageError: If the network has no feature map.
    """
    inner: Callable[..., Any] | None = getattr(backbone, "forward_features", None)
    if inner is None:
        raise UsageError(
            "Grad-CAM needs an image encoder that has a feature map",
            hint="choose a convolutional timm network, as resnet50",
        )
    found: list[Tensor] = []

    def recording(*inputs: Any, **options: Any) -> Tensor:
        features: Tensor = inner(*inputs, **options)
        if not features.requires_grad:  # a frozen network
            features = features.detach().requires_grad_()
        found.append(features)
        return features

    backbone.forward_features = recording  # type: ignore[assignment]
    try:
        yield found
    finally:
        del backbone.forward_features


def _channels_first(
    features: Float[Tensor, "view _ _ _"] | Float[Tensor, "view _ _"], backbone: nn.Module
) -> Float[Tensor, "view channel row column"]:
    """The map with channels before places, whichever way the network writes it.

    Raises:
        UsageError: If places are not in a grid, as in a vision transformer.
    """
    channels = backbone.num_features
    if features.ndim == 4 and features.shape[1] == channels:
        return features
    if features.ndim == 4 and features.shape[3] == channels:
        return features.permute(0, 3, 1, 2)
    raise UsageError(
        "Grad-CAM needs a feature map of rows and columns, this image encoder has a row of tokens",
        hint="choose a convolutional timm network, as resnet50",
    )
