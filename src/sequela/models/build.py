"""From a configuration to a network, for every family."""

from __future__ import annotations

from typing import TypeAlias, assert_never

from torch import nn

from sequela.models.baselines import BASELINE_WORDS
from sequela.models.lumin import VARIANTS, Lumin, LuminConfig, describe, variant

__all__ = [
    "VARIANTS",
    "LuminConfig",
    "ModelConfig",
    "build_model",
    "describe_variants",
    "parameter_groups",
    "variant",
]

ModelConfig: TypeAlias = LuminConfig


def build_model(config: ModelConfig, logits: int, *, initial_weights: bool = True) -> nn.Module:
    """The network that `config` describes.

    Args:
        config: A family's configuration.
        logits: How many numbers a patient the head asks for.
        initial_weights: False where a checkpoint fills every weight: nothing is then looked up.
    """
    match config:
        case LuminConfig():
            return Lumin(config, logits, initial_weights=initial_weights)
        case _:
            assert_never(config)


def describe_variants() -> dict[str, str]:
    """Every name that can be trained: networks, then baselines."""
    networks = {name: describe(name) for name in VARIANTS}
    return networks | dict(BASELINE_WORDS)


def parameter_groups(model: nn.Module) -> dict[str, list[nn.Parameter]]:
    """Parameters by how fast they should learn: `image` and `text` encoders, all else `new`.

    An encoder's own network counts as the encoder; its projection counts as new, for no
    published weights contain it.
    """
    groups: dict[str, list[nn.Parameter]] = {"image": [], "text": [], "new": []}
    for name, parameter in model.named_parameters():
        encoder, _, rest = name.partition(".")
        known = encoder in ("image", "text") and rest.startswith("backbone.")
        groups[encoder if known else "new"].append(parameter)
    return {name: parameters for name, parameters in groups.items() if parameters}
