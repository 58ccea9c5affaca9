"""Tiles of a slide to vectors: any timm or Hugging Face network, frozen."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from jaxtyping import Float, UInt8
from pydantic import Field
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from sequela.encoders.colours import ColourFeatures
from sequela.encoders.published_weights import safetensors_alone
from sequela.errors import UsageError
from sequela.settings import Settings

COLOURS = "colours"
"""The encoder that needs no weights."""

_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_LOCAL = "local-dir:"


class PatchEncoderConfig(Settings):
    """A network, and where its weights are.

    Attributes:
        name: `colours`, which needs no weights and is for trying things out; a timm name, also
            `hf-hub:` or `local-dir:`; or a Hugging Face folder or name.
        library: Whose network it is.
        weights: A safetensors file of the timm network.
        pretrained: Fetch the weights that are published under that name, if they are not here.
        licence: What the weights' publisher allows; must be told before anything is fetched, where
            timm does not know it.
        options: Passed to timm's constructor, as `{img_size: 224, init_values: 1.0e-5}`.
        mean: Of the three colours that the network was trained on; None to ask the network.
        deviation: Of the same.
        pooling: Of a Hugging Face network: its first token, or the mean of all.
    """

    name: str = COLOURS
    library: Literal["timm", "transformers"] = "timm"
    weights: Path | None = None
    pretrained: bool = False
    licence: str = ""
    options: dict[str, Any] = Field(default_factory=dict)
    mean: tuple[float, float, float] | None = None
    deviation: tuple[float, float, float] | None = None
    pooling: Literal["first", "mean"] = "first"


@dataclass(frozen=True)
class PatchEncoder:
    """A frozen network, and what a feature file says of it.

    Attributes:
        network: From scaled tiles, channels first, to vectors.
        name: What it is called; a folder by its last part.
        licence: Of the weights.
        hash: SHA-256 of the weights and of how tiles are scaled.
        mean: Of the colours.
        deviation: Of the colours.
    """

    network: nn.Module
    name: str
    licence: str
    hash: str
    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]

    @torch.no_grad()
    def encode(
        self, tiles: UInt8[Tensor, "patch height width 3"]
    ) -> Float[Tensor, "patch feature"]:
        """The vectors of some tiles."""
        if isinstance(self.network, ColourFeatures):
            features: Tensor = self.network(tiles)
            return features
        mean, deviation = (
            torch.tensor(one, device=tiles.device) for one in (self.mean, self.deviation)
        )
        scaled = (tiles.to(torch.float32) / 255 - mean) / deviation
        features = self.network(scaled.permute(0, 3, 1, 2).contiguous())
        return features.to(torch.float32)


class _Pooled(nn.Module):
    """A Hugging Face network whose tokens are made one vector."""

    def __init__(self, backbone: Any, pooling: str) -> None:
        super().__init__()
        self.backbone, self.pooling = backbone, pooling

    def forward(
        self, pixels: Float[Tensor, "patch 3 height width"]
    ) -> Float[Tensor, "patch feature"]:
        hidden: Tensor = self.backbone(pixel_values=pixels).last_hidden_state
        if hidden.ndim == 4:  # a convolutional network keeps its map
            return hidden.mean(dim=(2, 3))
        return hidden[:, 0] if self.pooling == "first" else hidden.mean(dim=1)


def build_patch_encoder(config: PatchEncoderConfig) -> PatchEncoder:
    """The network of `config` with its weights; nothing is fetched unless that is asked for.

    Raises:
        UsageError: If there is no such network, its weights are not to be had, or their licence is
            not told.
    """
    if config.name == COLOURS:
        return _described(ColourFeatures(), config, "Apache-2.0", _IMAGENET)
    if config.library == "transformers":
        return _of_transformers(config)
    return _of_timm(config)


def _described(
    network: nn.Module,
    config: PatchEncoderConfig,
    licence: str,
    scale: tuple[tuple[float, ...], tuple[float, ...]],
) -> PatchEncoder:
    mean, deviation = config.mean or scale[0], config.deviation or scale[1]
    digest = hashlib.sha256(json.dumps([mean, deviation, config.pooling]).encode())
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        digest.update(tensor.detach().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    name = config.name.removeprefix(_LOCAL)
    shown = Path(name).name if Path(name).exists() else name
    return PatchEncoder(
        network.eval().requires_grad_(requires_grad=False),
        shown,
        config.licence or licence or "not told",
        digest.hexdigest(),
        (mean[0], mean[1], mean[2]),
        (deviation[0], deviation[1], deviation[2]),
    )


def _of_timm(config: PatchEncoderConfig) -> PatchEncoder:
    import timm
    from timm.data.config import resolve_data_config

    local = config.name.startswith(_LOCAL)
    if config.weights is None and not config.pretrained and not local:
        raise _no_weights(config, "set slides.encoder.weights to a safetensors file of it")
    fetched = config.pretrained and config.weights is None and not local
    known = timm.models.get_pretrained_cfg(config.name) if fetched else None
    licence = config.licence or (known.license if known else "") or ""
    if fetched and not licence:
        raise _no_licence(config)
    try:
        with safetensors_alone():
            network: Any = timm.create_model(
                config.name, pretrained=fetched or local, num_classes=0, **config.options
            )
    except (OSError, RuntimeError, TypeError) as error:
        raise _not_built(config, error) from error
    if config.weights is not None:
        _fill(network, config.weights)
    scale = resolve_data_config({}, model=network)  # type: ignore[no-untyped-call]
    told = network.pretrained_cfg.get("license") if config.weights is None else ""
    return _described(network, config, licence or told or "", (scale["mean"], scale["std"]))


def _fill(network: nn.Module, weights: Path) -> None:
    try:
        state = load_file(weights)
        lacking = sorted(network.load_state_dict(state, strict=False).missing_keys)
    except (OSError, SafetensorError, RuntimeError) as error:
        raise UsageError(
            f"slides.encoder.weights ({weights.name}) cannot be loaded: {type(error).__name__}",
            hint="give a safetensors file of the network that slides.encoder.name describes",
        ) from error
    if lacking:
        raise UsageError(
            f"slides.encoder.weights ({weights.name}) lacks {len(lacking)} weights of the network",
            hint="give a file of the network that slides.encoder.name and .options describe",
            items=tuple(lacking),
        )


def _of_transformers(config: PatchEncoderConfig) -> PatchEncoder:
    from transformers import AutoModel

    here = Path(config.name).is_dir()
    if not here and not config.pretrained:
        raise _no_weights(config, "set slides.encoder.name to the folder that holds it")
    if not here and not config.licence:
        raise _no_licence(config)
    try:
        backbone: Any = AutoModel.from_pretrained(
            config.name, trust_remote_code=False, use_safetensors=True, local_files_only=here
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise _not_built(config, error) from error
    return _described(
        _Pooled(backbone, config.pooling), config, "", _scale(config.name) if here else _IMAGENET
    )


def _scale(folder: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """What the folder says of the colours its network was trained on."""
    file = Path(folder) / "preprocessor_config.json"
    told = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    mean, deviation = told.get("image_mean"), told.get("image_std")
    return (tuple(mean), tuple(deviation)) if mean and deviation else _IMAGENET


def _no_weights(config: PatchEncoderConfig, hint: str) -> UsageError:
    return UsageError(
        f"the slide encoder {Path(config.name).name} has no weights, and random ones say nothing",
        hint=f"{hint}, or slides.encoder.pretrained=true to fetch what is published",
    )


def _no_licence(config: PatchEncoderConfig) -> UsageError:
    return UsageError(
        f"nothing is fetched before the licence of {config.name} is told",
        hint="read it where the weights are published, and set slides.encoder.licence to its name",
    )


def _not_built(config: PatchEncoderConfig, error: Exception) -> UsageError:
    return UsageError(
        f"the slide encoder {Path(config.name).name} cannot be built: {type(error).__name__}",
        hint="slides.encoder.library says whose network it is; without a network connection give "
        "weights that are on this machine",
    )
