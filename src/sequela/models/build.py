"""From a configuration to a network, for every family; and every name that can be trained.

A family's configuration has, beside its own fields, what training asks of every one: `family`,
`modalities`, `image` and `text` (encoders or None), `clinical`, `exams`, `pretrained_alignment`,
`head` (the one it comes with, or None for the configuration's) and `portable()`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, TypeAlias, assert_never

from pydantic import Discriminator, Tag, TypeAdapter
from torch import nn

from sequela.models import kemm_variants, lumin_variants, peers
from sequela.models.baselines import BASELINE_WORDS
from sequela.models.kemm import Kemm
from sequela.models.kemm_config import KemmConfig
from sequela.models.late_fusion import MEMBERS, STACKED, LateFusion, LateFusionConfig
from sequela.models.lumin import Lumin, LuminConfig
from sequela.models.mirai import Mirai, MiraiConfig
from sequela.models.peer_config import PatientConfig, PeerConfig

__all__ = [
    "VARIANTS",
    "KemmConfig",
    "LateFusionConfig",
    "LuminConfig",
    "MiraiConfig",
    "ModelConfig",
    "PatientConfig",
    "PeerConfig",
    "build_model",
    "describe_variants",
    "model_config",
    "parameter_groups",
    "variant",
]


def _family(values: Any) -> str:
    """The family that settings are of; LUMIN where they do not say."""
    if isinstance(values, Mapping):
        return str(values.get("family", "lumin"))
    return str(getattr(values, "family", "lumin"))


ModelConfig: TypeAlias = Annotated[
    Annotated[LuminConfig, Tag("lumin")]
    | Annotated[MiraiConfig, Tag("mirai")]
    | Annotated[KemmConfig, Tag("kemm")]
    | Annotated[PeerConfig, Tag("peer")]
    | Annotated[LateFusionConfig, Tag("late-fusion")],
    Discriminator(_family),
]

PEER_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "mirai": "image of the last exam; transformer over its views; additive hazard (Yala 2021)",
        "lomar": "image of all exams seen; transformer over visits; additive hazard (Karaman 2024)",
        "late-fusion": "image and text of the last exam; mean of the logits of st-i and st-r",
        STACKED: "the same, weighed as validation patients ask (Wolpert 1992)",
    }
)


def model_config(values: Mapping[str, Any]) -> ModelConfig:
    """The configuration that a checkpoint or file states."""
    adapter: TypeAdapter[ModelConfig] = TypeAdapter(ModelConfig)
    return adapter.validate_python(values)


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
        case MiraiConfig():
            return Mirai(config, logits, initial_weights=initial_weights)
        case KemmConfig():
            return Kemm(config, logits)
        case PeerConfig():
            return peers.build_peer(config, logits)
        case LateFusionConfig():
            return LateFusion(config, logits, initial_weights=initial_weights)
        case _:
            assert_never(config)


def variant(name: str, full: ModelConfig | None = None) -> ModelConfig:
    """The model of that name, with the encoders and sizes of `full` where it has such.

    Args:
        name: One of `VARIANTS`.
        full: The model section of the configuration; the paper's LUMIN by default.

    Raises:
        UsageError: If there is no such variant, or it needs an encoder that `full` lacks.
    """
    if name in kemm_variants.CHANGES:
        return kemm_variants.kemm_variant(name, full if isinstance(full, KemmConfig) else None)
    peer = peers.peer_variant(name, full if isinstance(full, PeerConfig) else None)
    if peer is not None:
        return peer.evolve(head=full.head) if isinstance(full, KemmConfig) else peer
    whole = full if isinstance(full, LuminConfig) else LuminConfig()
    if name in ("late-fusion", STACKED):
        images, texts = (lumin_variants.variant(member, whole) for member in MEMBERS)
        return LateFusionConfig(of_images=images, of_texts=texts, stacked=name == STACKED)
    if name in PEER_WORDS:
        asked = full if isinstance(full, MiraiConfig) else _mirai(whole)
        return asked.evolve(exams=1 if name == "mirai" else max(2, asked.exams))
    return lumin_variants.variant(name, whole)


def _mirai(full: LuminConfig) -> MiraiConfig:
    """Mirai with the encoder and width that LUMIN has in this comparison."""
    image = lumin_variants.require_encoder("mirai", full.image, "image")
    return MiraiConfig(
        image=image, dim=full.dim, heads=full.heads, dropout=full.dropout, exams=full.exams
    )


VARIANTS: Mapping[str, ModelConfig] = MappingProxyType(
    {
        name: variant(name)
        for name in (*lumin_variants.CHANGES, *PEER_WORDS, *kemm_variants.CHANGES, *peers.WORDS)
    }
)


def describe_variants() -> dict[str, str]:
    """Every name that can be trained: networks, then baselines."""
    networks = {name: lumin_variants.describe(name) for name in lumin_variants.CHANGES}
    networks |= dict(PEER_WORDS) | dict(kemm_variants.WORDS) | dict(peers.WORDS)
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
