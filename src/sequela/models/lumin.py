"""LUMIN and its baselines: one composition of boxes, every variant a row (AAAI 2026).

Equation numbers are the paper's.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal, get_args

import torch
from jaxtyping import Float
from pydantic import Field, model_validator
from torch import Tensor, nn

from sequela.encoders.image import ImageEncoder, ImageEncoderConfig
from sequela.encoders.text import TextEncoder, TextEncoderConfig
from sequela.errors import UsageError
from sequela.fusion.aggregation import MlpAggregation, TransformerAggregation
from sequela.fusion.decomposition import (
    CrossModalPart,
    Orientation,
    TemporalPart,
    cross_modal,
    temporal,
)
from sequela.fusion.timeline import Timeline, latest_exams, timeline_of
from sequela.fusion.tokens import Tokens, TokenTypes, exam_tokens, temporal_tokens
from sequela.modalities.batch import Batch
from sequela.models.output import Output
from sequela.settings import Settings

CROSS_MODAL: tuple[CrossModalPart, ...] = get_args(CrossModalPart)
TEMPORAL: tuple[TemporalPart, ...] = get_args(TemporalPart)


class LuminConfig(Settings):
    """LUMIN in full; a baseline or an ablation leaves something out.

    Attributes:
        image: The image encoder, or None where images are not read.
        text: The text encoder, or None where texts are not read.
        dim: Width of every vector and token.
        exams: How many exams are seen at most, counted back from the landmark's.
        cross_modal: Parts of CM-DKE; with none, the tokens are the encoders' vectors.
        temporal: Parts of TE-DKE.
        gate: Orientation of the complementary part's gate.
        aggregation: How the tokens become one vector.
        layers: Transformer layers of the aggregation.
        heads: Attention heads a layer.
        dropout: Share of activations that the aggregation drops in training.
        time_embedding: Tell the aggregation how long ago each exam was (the paper does not).
        pretrained_alignment: Start from encoders aligned by contrastive pre-training.
    """

    image: ImageEncoderConfig | None = ImageEncoderConfig(name="resnet50", pretrained=True)
    text: TextEncoderConfig | None = TextEncoderConfig(encoder="text-encoder")
    dim: int = Field(default=256, ge=1)
    exams: int = Field(default=2, ge=1)
    cross_modal: tuple[CrossModalPart, ...] = CROSS_MODAL
    temporal: tuple[TemporalPart, ...] = TEMPORAL
    gate: Orientation = "literal"
    aggregation: Literal["transformer", "mlp"] = "transformer"
    layers: int = Field(default=2, ge=1)
    heads: int = Field(default=8, ge=1)
    dropout: float = Field(default=0.1, ge=0, lt=1)
    time_embedding: bool = False
    pretrained_alignment: bool = True

    @property
    def modalities(self) -> tuple[str, ...]:
        """What is read of an exam."""
        return tuple(name for name in ("image", "text") if getattr(self, name) is not None)

    @model_validator(mode="after")
    def _boxes_fit(self) -> LuminConfig:
        if not self.modalities:
            raise ValueError("a model reads images, texts or both; neither is configured")
        if self.cross_modal and len(self.modalities) < 2:
            raise ValueError("cross_modal takes image and text apart; one of them is missing")
        if self.temporal and self.exams < 2:
            raise ValueError("temporal compares exams; set exams to 2 or more")
        if self.dim % self.heads:
            raise ValueError(f"dim ({self.dim}) is no multiple of heads ({self.heads})")
        return self


def _without(parts: tuple[Any, ...], part: str) -> tuple[Any, ...]:
    return tuple(other for other in parts if other != part)


_SINGLE = {"exams": 1, "cross_modal": (), "temporal": (), "aggregation": "mlp"}

# What each variant changes of a configuration; Table 3's "w/o CM-DKE" is lumin-t and its
# "w/o TE-DKE" is lumin-m.
CHANGES: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "resnet50": {**_SINGLE, "text": None, "pretrained_alignment": False},
        "st-i": {**_SINGLE, "text": None},
        "st-r": {**_SINGLE, "image": None},
        "st-b": _SINGLE,
        "l-b": {"cross_modal": (), "temporal": (), "aggregation": "mlp"},
        "lumin-m": {"temporal": ()},
        "lumin-t": {"cross_modal": ()},
        "lumin": {},
        "lumin-without-pretraining": {"pretrained_alignment": False},
        **{
            f"lumin-m-without-{part}": {"temporal": (), "cross_modal": _without(CROSS_MODAL, part)}
            for part in CROSS_MODAL
        },
        **{
            f"lumin-t-without-{part}": {"cross_modal": (), "temporal": _without(TEMPORAL, part)}
            for part in TEMPORAL
        },
    }
)


def describe(name: str) -> str:
    """What a variant reads and how it joins it, in a sentence."""
    config = VARIANTS[name]
    reads = " and ".join(config.modalities) + f" of {_EXAMS.get(config.exams, config.exams)}"
    parts = [
        f"{module} ({', '.join(chosen)})"
        for module, chosen in (("CM-DKE", config.cross_modal), ("TE-DKE", config.temporal))
        if chosen
    ]
    joined = " + ".join(parts) if parts else "no decomposition"
    start = "aligned encoders" if config.pretrained_alignment else "no alignment"
    return f"{reads}; {joined}; {config.aggregation}; {start}"


_EXAMS = {1: "the last exam", 2: "the last two exams"}


def variant(name: str, full: LuminConfig | None = None) -> LuminConfig:
    """The variant of that name.

    Args:
        name: One of `VARIANTS`.
        full: The full model that it leaves something out of; the paper's by default.

    Raises:
        UsageError: If there is no such variant, or it needs an encoder that `full` lacks.
    """
    if name not in CHANGES:
        raise UsageError(
            f"there is no variant {name}", hint="`sequela list variants` names all of them"
        )
    full, changes = full or LuminConfig(), CHANGES[name]
    lacking = [kind for kind in ("image", "text") if getattr(full, kind) is None]
    needed = [kind for kind in lacking if changes.get(kind, "needed") == "needed"]
    if needed:
        raise UsageError(
            f"variant {name} reads {' and '.join(needed)}, which the model section leaves out",
            hint="choose a variant that reads less: st-i and resnet50 read images, st-r texts",
        )
    return full.evolve(**changes)


VARIANTS: Mapping[str, LuminConfig] = MappingProxyType({name: variant(name) for name in CHANGES})


class Lumin(nn.Module):
    """Encoders, CM-DKE an exam, TE-DKE over the exams, aggregation, logits.

    Args:
        config: Which boxes there are.
        logits: How many numbers the head asks for.
        initial_weights: False leaves the encoders unfilled, for a checkpoint to follow.
    """

    def __init__(self, config: LuminConfig, logits: int, *, initial_weights: bool = True) -> None:
        super().__init__()
        self.config = config
        dim, start = config.dim, initial_weights
        self.image, self.text = None, None
        if config.image is not None:
            self.image = ImageEncoder(config.image, dim, initial_weights=start)
        if config.text is not None:
            self.text = TextEncoder(config.text, dim, initial_weights=start)
        self.absent = nn.ParameterDict(
            {kind: nn.Parameter(torch.randn(dim) * 0.02) for kind in config.modalities}
        )
        parts: tuple[str, ...] = config.cross_modal or config.modalities
        self.cross_modal = (
            cross_modal(config.cross_modal, dim, config.gate) if config.cross_modal else None
        )
        self.temporal = (
            temporal(config.temporal, len(parts) * dim, dim, config.exams)
            if config.temporal
            else None
        )
        self.types = TokenTypes(parts, config.temporal, config.exams, dim, config.time_embedding)
        self.aggregation = _aggregation(config, len(parts))
        self.output = nn.Linear(dim, logits)

    def forward(self, batch: Batch) -> Output:
        """Logits of each patient, and the parts they were computed from."""
        seen = latest_exams(batch, self.config.exams)
        timeline = timeline_of(seen)
        tokens = self.tokens(self.vectors(seen), timeline)
        typed = tokens.values + self.types(tokens, timeline)
        logits = self.output(self.aggregation(typed, tokens.mask))
        return Output(logits, tokens.parts(), tokens.masks())

    def vectors(self, seen: Batch) -> dict[str, Float[Tensor, "patient exam dim"]]:
        """The encoders' vectors of each exam, learned ones where image or text is missing."""
        encoders = {"image": self.image, "text": self.text}
        found: dict[str, Tensor] = {}
        for kind, encoder in encoders.items():
            if encoder is not None:
                vectors, present = encoder(seen)
                found[kind] = torch.where(present[:, :, None], vectors, self.absent[kind])
        return found

    def tokens(
        self, vectors: Mapping[str, Float[Tensor, "patient exam dim"]], timeline: Timeline
    ) -> Tokens:
        """The named parts of each patient (eqs. 4-9)."""
        parts = dict(vectors)
        if self.cross_modal is not None:
            parts = self.cross_modal(vectors["image"], vectors["text"])
        tokens = exam_tokens(parts, timeline)
        if self.temporal is not None:
            flat = torch.cat(list(parts.values()), dim=-1)
            tokens = tokens + temporal_tokens(self.temporal(flat, timeline), timeline)
        return tokens


def _aggregation(config: LuminConfig, parts: int) -> TransformerAggregation | MlpAggregation:
    if config.aggregation == "transformer":
        return TransformerAggregation(config.dim, config.layers, config.heads, config.dropout)
    specific = {"first", "second"} & set(config.temporal)
    single = len(config.temporal) - len(specific)
    count = config.exams * parts + single + (config.exams - 1) * len(specific)
    return MlpAggregation(config.dim, count, config.dropout, complete=config.exams == 1)
