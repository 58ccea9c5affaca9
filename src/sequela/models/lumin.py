"""LUMIN and its baselines: one composition of boxes, every variant a row (AAAI 2026).

Equation numbers are the paper's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal, get_args

import torch
from jaxtyping import Bool, Float
from pydantic import Field, model_validator
from torch import Tensor, nn

from sequela.encoders.clinical import ClinicalEncoder
from sequela.encoders.image import ImageEncoder, ImageEncoderConfig
from sequela.encoders.text import TextEncoder, TextEncoderConfig
from sequela.fusion.aggregation import MlpAggregation, TransformerAggregation
from sequela.fusion.decomposition import (
    CrossModalPart,
    Orientation,
    TemporalPart,
    cross_modal,
    temporal,
)
from sequela.fusion.decomposition_loss import (
    DecompositionLoss,
    decomposition_penalty,
    pairs_of,
)
from sequela.fusion.shortcut import Shortcut
from sequela.fusion.timeline import Timeline, latest_exams, timeline_of
from sequela.fusion.tokens import Tokens, TokenTypes, exam_tokens, patient_token, temporal_tokens
from sequela.modalities.batch import Batch
from sequela.models.output import Output
from sequela.settings import Settings

CROSS_MODAL: tuple[CrossModalPart, ...] = get_args(CrossModalPart)
TEMPORAL: tuple[TemporalPart, ...] = get_args(TemporalPart)


class LuminConfig(Settings):
    """LUMIN in full; a baseline or an ablation leaves something out.

    Attributes:
        family: Tells the families' configurations apart.
        image: The image encoder, or None where images are not read.
        text: The text encoder, or None where texts are not read.
        dim: Width of every vector and token.
        exams: How many exams are seen at most, counted back from the landmark's.
        cross_modal: Parts of CM-DKE; with none, the tokens are the encoders' vectors. It takes a
            learned vector in the place of images or texts that are not read.
        temporal: Parts of TE-DKE.
        gate: Orientation of the complementary part's gate.
        aggregation: How the tokens become one vector.
        layers: Transformer layers of the aggregation.
        heads: Attention heads a layer.
        dropout: Share of activations that the aggregation drops in training.
        shortcut: Add logits that are linear in the encoders' vectors and in the product of image
            and text, past the decomposition (the paper has none).
        time_embedding: Tell the aggregation how long ago each exam was (the paper does not).
        clinical: Read the manifest's clinical covariates too, as one token a patient (the paper
            does not).
        covariates: How many clinical features there are; filled in by training.
        modality_dropout: Share of the patients whose images or texts, either with even chance,
            are hidden in a training step (the paper: none). Nobody is left without both.
        decomposition_loss: What is asked of the parts beyond predicting.
        pretrained_alignment: Start from encoders aligned by contrastive pre-training.
    """

    family: Literal["lumin"] = "lumin"
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
    shortcut: bool = False
    time_embedding: bool = False
    clinical: bool = False
    covariates: int = Field(default=0, ge=0)
    modality_dropout: float = Field(default=0.0, ge=0, le=1)
    decomposition_loss: DecompositionLoss = DecompositionLoss()
    pretrained_alignment: bool = True

    @property
    def head(self) -> None:
        """The head it comes with: none, it takes the configuration's."""

    @property
    def modalities(self) -> tuple[str, ...]:
        """What is read of an exam."""
        return tuple(name for name in ("image", "text") if getattr(self, name) is not None)

    @property
    def vectors(self) -> tuple[str, ...]:
        """What an exam has a vector of: CM-DKE's both members, learned where nothing is read."""
        return ("image", "text") if self.cross_modal else self.modalities

    def portable(self) -> LuminConfig:
        """The same without the path of the text encoder, which its weights no longer need."""
        if self.text is None:
            return self
        return self.evolve(text=self.text.evolve(encoder=self.text.encoder.rsplit("/", 1)[-1]))

    @model_validator(mode="after")
    def _boxes_fit(self) -> LuminConfig:
        if not self.modalities:
            raise ValueError("a model reads images, texts or both; neither is configured")
        if self.temporal and self.exams < 2:
            raise ValueError("temporal compares exams; set exams to 2 or more")
        if self.dim % self.heads:
            raise ValueError(f"dim ({self.dim}) is no multiple of heads ({self.heads})")
        return self


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
            {kind: nn.Parameter(torch.randn(dim) * 0.02) for kind in config.vectors}
        )
        parts: tuple[str, ...] = config.cross_modal or config.vectors
        self.cross_modal = (
            cross_modal(config.cross_modal, dim, config.gate) if config.cross_modal else None
        )
        self.temporal = (
            temporal(config.temporal, len(parts) * dim, dim, config.exams)
            if config.temporal
            else None
        )
        self.clinical = ClinicalEncoder(config.covariates, dim) if config.clinical else None
        alone = (*config.temporal, *(("clinical",) if config.clinical else ()))
        self.types = TokenTypes(parts, alone, config.exams, dim, config.time_embedding)
        self.aggregation = _aggregation(config, len(parts))
        self.output = nn.Linear(dim, logits)
        self.shortcut = (
            Shortcut(config.vectors, config.exams, dim, logits) if config.shortcut else None
        )
        self.removed: frozenset[str] = frozenset()

    def forward(self, batch: Batch) -> Output:
        """Logits of each patient, and the parts they were computed from."""
        seen = self.shown(latest_exams(batch, self.config.exams))
        timeline = timeline_of(seen)
        vectors = self.vectors(seen)
        tokens = self.tokens(vectors, timeline)
        if self.clinical is not None:
            tokens = tokens + patient_token("clinical", *self.clinical(seen))
        tokens = tokens.without(self.removed)
        typed = tokens.values + self.types(tokens, timeline)
        logits = self.output(self.aggregation(typed, tokens.mask))
        if self.shortcut is not None:
            logits = logits + self.shortcut(vectors, timeline.mask)
        penalty = None
        if self.training and self.config.decomposition_loss.asked:
            penalty = self.penalty(tokens, vectors, seen)
        return Output(logits, tokens.parts(), tokens.masks(), penalty)

    def shown(self, seen: Batch) -> Batch:
        """The batch less the images and texts that are removed, or hidden by modality dropout."""
        hidden = {name: torch.full_like(seen.exam_mask[:, 0], name in self.removed) for name in _IN}
        if self.training and self.config.modality_dropout:
            for name, dropped in _dropped(seen, self.config.modality_dropout).items():
                hidden[name] = hidden[name] | dropped
        views, texts = seen.view_mask, seen.text_mask
        return replace(
            seen,
            view_mask=None if views is None else views & ~hidden["images"][:, None, None],
            text_mask=None if texts is None else texts & ~hidden["texts"][:, None],
        )

    def vectors(self, seen: Batch) -> dict[str, Float[Tensor, "patient exam dim"]]:
        """The encoders' vectors of each exam, learned ones where image or text is missing."""
        encoders = {"image": self.image, "text": self.text}
        found: dict[str, Tensor] = {}
        for kind, learned in self.absent.items():
            encoder = encoders[kind]
            if encoder is None:
                found[kind] = learned.expand(*seen.day.shape, -1)
            else:
                vectors, present = encoder(seen)
                found[kind] = torch.where(present[:, :, None], vectors, learned)
        return found

    def tokens(
        self, vectors: Mapping[str, Float[Tensor, "patient exam dim"]], timeline: Timeline
    ) -> Tokens:
        """The named parts of each patient (eqs. 4-9)."""
        parts = dict(vectors)
        if self.cross_modal is not None:
            parts = self._kept(self.cross_modal(vectors["image"], vectors["text"]))
        tokens = exam_tokens(parts, timeline)
        if self.temporal is not None:
            flat = torch.cat(list(parts.values()), dim=-1)
            tokens = tokens + temporal_tokens(self._kept(self.temporal(flat, timeline)), timeline)
        return tokens

    def penalty(
        self, tokens: Tokens, vectors: Mapping[str, Float[Tensor, "patient exam dim"]], seen: Batch
    ) -> Float[Tensor, ""]:
        """What the decomposition loss asks of these tokens."""
        weights = self.config.decomposition_loss
        paired = pairs_of(seen.view_mask, seen.text_mask, seen.exam_mask)
        return decomposition_penalty(tokens.by_part(), vectors, paired, weights)

    def _kept(self, parts: dict[str, Tensor]) -> dict[str, Tensor]:
        return {
            name: torch.zeros_like(part) if name in self.removed else part
            for name, part in parts.items()
        }


_IN = ("images", "texts")


def _dropped(seen: Batch, share: float) -> dict[str, Bool[Tensor, " patient"]]:
    """Whose images, and whose texts, a training step hides: never both, and never the only one."""
    views, texts = seen.view_mask, seen.text_mask
    if views is None or texts is None:
        return {}
    both = views.any(dim=(1, 2)) & texts.any(dim=1)
    chance = torch.rand(len(seen), device=seen.day.device)
    images = both & (chance < share / 2)
    return {"images": images, "texts": both & ~images & (chance < share)}


def _aggregation(config: LuminConfig, parts: int) -> TransformerAggregation | MlpAggregation:
    if config.aggregation == "transformer":
        return TransformerAggregation(config.dim, config.layers, config.heads, config.dropout)
    specific = {"first", "second"} & set(config.temporal)
    single = len(config.temporal) - len(specific)
    count = config.exams * parts + single + (config.exams - 1) * len(specific) + config.clinical
    complete = config.exams == 1 and not config.clinical
    return MlpAggregation(config.dim, count, config.dropout, complete=complete)
