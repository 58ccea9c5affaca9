"""Prepared views to one vector an exam: any timm network, shared over the views."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from einops import rearrange
from jaxtyping import Bool, Float, Int, UInt8
from pydantic import Field
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from sequela.encoders.published_weights import safetensors_alone
from sequela.errors import UsageError
from sequela.modalities.batch import Batch
from sequela.modalities.mammogram import VIEW_KINDS
from sequela.settings import Settings

# ImageNet's mean and standard deviation, averaged over the colours: one channel goes in.
MEAN, DEVIATION = 0.449, 0.226


class ImageEncoderConfig(Settings):
    """A timm network and the weights that it starts from.

    Attributes:
        name: Any timm name; `hf-hub:` and `local-dir:` names too.
        pretrained: Start from the weights that are published under that name.
        weights: A safetensors file of the same network to start from instead.
        options: Passed to the network's constructor, as `{img_size: 512}` or `{channels: [...]}`.
        checkpointing: Recompute activations in the backward pass: less memory, more time.
        channels_last: Keep the channels of a place side by side in memory: faster on most machines.
    """

    name: str = "resnet50"
    pretrained: bool = False
    weights: Path | None = None
    options: dict[str, Any] = Field(default_factory=dict)
    checkpointing: bool = False
    channels_last: bool = True


class ImageEncoder(nn.Module):
    """Every view through one network, GAP, Linear to `dim`; then the mean of the views present.

    A learned vector for the side and one for the view are added before the mean.

    Args:
        config: The network.
        dim: Width of the vectors that come out.
        initial_weights: False leaves the network unfilled, for a checkpoint to follow.

    Attributes:
        waited_for: Whether other processes wait in training for what this one's network sees, so
            that it is called with no image too.
    """

    waited_for: bool = False
    side_of: Int[Tensor, " kind"]
    view_of: Int[Tensor, " kind"]

    def __init__(
        self, config: ImageEncoderConfig, dim: int, *, initial_weights: bool = True
    ) -> None:
        super().__init__()
        self.backbone = build_backbone(config, initial_weights=initial_weights)
        self.layout = layout_of(config)
        width: Any = getattr(self.backbone, "head_hidden_size", self.backbone.num_features)
        self.projection = nn.Linear(width, dim)
        sides, views = zip(*VIEW_KINDS, strict=True)
        self.side = nn.Embedding(len(set(sides)), dim)
        self.view = nn.Embedding(len(set(views)), dim)
        self.register_buffer("side_of", _numbered(sides), persistent=False)
        self.register_buffer("view_of", _numbered(views), persistent=False)
        nn.init.normal_(self.side.weight, std=0.02)
        nn.init.normal_(self.view.weight, std=0.02)

    def forward(
        self, batch: Batch
    ) -> tuple[Float[Tensor, "patient exam dim"], Bool[Tensor, "patient exam"]]:
        """One vector an exam (zeros where it has no view), and which exams have one.

        Only views that are there pass the network, all in one call; what is masked is not read.
        """
        dim = self.projection.out_features
        if batch.views is None or batch.view_kind is None or batch.view_mask is None:
            return batch.day.new_zeros((*batch.day.shape, dim)), torch.zeros_like(batch.exam_mask)
        mask = batch.view_mask
        total = self.projection.weight.new_zeros((*mask.shape, dim))
        if mask.any() or (self.waited_for and self.training):
            kind = batch.view_kind[mask]
            images = batch.views[mask]
            features = self.encode(images if len(images) else images.new_zeros((0, 64, 64)))
            named = self.side(self.side_of[kind]) + self.view(self.view_of[kind])
            total[mask] = (features + named).to(total.dtype)  # autocast may have left it in half
        count = mask.sum(dim=2, keepdim=True)
        return total.sum(dim=2) / count.clamp(min=1), mask.any(dim=2)

    def encode(
        self, images: Float[Tensor, "view height width"] | UInt8[Tensor, "view height width"]
    ) -> Float[Tensor, "view dim"]:
        """The vector of each image, whatever exam it belongs to."""
        pixels = normalised(images, self.layout)
        features: Float[Tensor, "view dim"] = self.projection(self.backbone(pixels))
        return features


def _numbered(names: Sequence[str]) -> Int[Tensor, " kind"]:
    order = sorted(set(names))
    return torch.tensor([order.index(name) for name in names])


def normalised(
    images: Float[Tensor, "view height width"] | UInt8[Tensor, "view height width"],
    layout: torch.memory_format = torch.channels_last,
) -> Float[Tensor, "view 1 height width"]:
    """Bytes or 0..1 to what the network was trained on."""
    scale = 255.0 if images.dtype == torch.uint8 else 1.0
    scaled = images.to(torch.get_default_dtype()) / (scale * DEVIATION) - MEAN / DEVIATION
    return rearrange(scaled, "v h w -> v 1 h w").contiguous(memory_format=layout)


def layout_of(config: ImageEncoderConfig) -> torch.memory_format:
    """How images and the network's weights lie in memory."""
    return torch.channels_last if config.channels_last else torch.contiguous_format


def build_backbone(config: ImageEncoderConfig, *, initial_weights: bool = True) -> nn.Module:
    """The timm network of `config`, without its classifier.

    Raises:
        UsageError: If timm has no such network, or its weights are not to be had.
    """
    import timm

    pretrained = initial_weights and config.pretrained and config.weights is None
    try:
        with safetensors_alone():
            backbone: Any = timm.create_model(
                config.name, pretrained=pretrained, in_chans=1, num_classes=0, **config.options
            )
    except (OSError, RuntimeError, TypeError) as error:
        raise UsageError(
            f"the image encoder {_shown(config.name)} cannot be built: {type(error).__name__}",
            hint="`sequela list encoders` names them, image.options must be ones that it takes; "
            "without a network connection set image.pretrained=false, or image.weights to a "
            "safetensors file on this machine",
        ) from error
    if initial_weights and config.weights is not None:
        _fill(backbone, config.weights)
    backbone.set_grad_checkpointing(config.checkpointing)
    module: nn.Module = backbone.to(memory_format=layout_of(config))
    return module


def _shown(name: str) -> str:
    """The name; of a folder its last part."""
    return Path(name).name if name.startswith("local-dir:") else name


def _fill(backbone: nn.Module, weights: Path) -> None:
    """Load a file of the network's weights; one of a classifier may be there and is not used."""
    try:
        state = load_file(weights)
        lacking = sorted(backbone.load_state_dict(state, strict=False).missing_keys)
    except (OSError, SafetensorError, RuntimeError) as error:
        raise UsageError(
            f"image.weights ({weights.name}) cannot be loaded: {type(error).__name__}",
            hint="give a safetensors file of the same network with one input channel",
        ) from error
    if lacking:
        raise UsageError(
            f"image.weights ({weights.name}) lacks {len(lacking)} weights of the network",
            hint="give a file of the network that image.name and image.options describe",
            items=tuple(lacking),
        )
