"""Mirai and LoMaR as rivals: transformers over the views of an exam, and over visits."""

from __future__ import annotations

from typing import Any, Literal

import torch
from jaxtyping import Bool, Float
from pydantic import Field, model_validator
from torch import Tensor, nn

from sequela.encoders.image import ImageEncoderConfig, build_backbone, normalised
from sequela.fusion.timeline import latest_exams
from sequela.modalities.batch import Batch
from sequela.modalities.mammogram import VIEW_KINDS
from sequela.models.heads import AdditiveHazardHeadConfig
from sequela.models.output import Output
from sequela.settings import Settings

_DAYS_A_YEAR = 365.25


class MiraiConfig(Settings):
    """A transformer over the views of the last exam and, with more exams, one over the visits.

    Attributes:
        family: Tells the families' configurations apart.
        image: The image encoder, shared by all views (Mirai's is a ResNet-18).
        dim: Width of every vector.
        exams: How many visits are seen at most: 1 is Mirai, more LoMaR.
        layers: Layers of each transformer.
        heads: Attention heads a layer.
        dropout: Share of activations that are dropped in training.
    """

    family: Literal["mirai"] = "mirai"
    image: ImageEncoderConfig = ImageEncoderConfig(name="resnet18", pretrained=True)
    dim: int = Field(default=256, ge=1)
    exams: int = Field(default=1, ge=1)
    layers: int = Field(default=1, ge=1)
    heads: int = Field(default=8, ge=1)
    dropout: float = Field(default=0.1, ge=0, lt=1)

    @property
    def text(self) -> None:
        """It reads no texts."""

    @property
    def clinical(self) -> bool:
        """It reads no clinical covariates."""
        return False

    @property
    def modalities(self) -> tuple[str, ...]:
        """What is read of an exam."""
        return ("image",)

    @property
    def pretrained_alignment(self) -> bool:
        """Its encoder is not aligned with texts."""
        return False

    @property
    def head(self) -> AdditiveHazardHeadConfig:
        """The head it comes with: the additive hazard of the paper."""
        return AdditiveHazardHeadConfig()

    def portable(self) -> MiraiConfig:
        """Itself: it names no file that its weights do not hold."""
        return self

    @model_validator(mode="after")
    def _heads_fit(self) -> MiraiConfig:
        if self.dim % self.heads:
            raise ValueError(f"dim ({self.dim}) is no multiple of heads ({self.heads})")
        return self


class ViewEncoder(nn.Module):
    """Every view through one network to a vector of its own."""

    def __init__(
        self, config: ImageEncoderConfig, dim: int, *, initial_weights: bool = True
    ) -> None:
        super().__init__()
        self.backbone = build_backbone(config, initial_weights=initial_weights)
        width: Any = getattr(self.backbone, "head_hidden_size", self.backbone.num_features)
        self.projection = nn.Linear(width, dim)

    def forward(
        self, batch: Batch
    ) -> tuple[Float[Tensor, "patient exam view dim"], Bool[Tensor, "patient exam view"]]:
        """The vector of each view (zeros where there is none), and which there are."""
        if batch.views is None or batch.view_mask is None:
            shape = (*batch.exam_mask.shape, 1)
            vectors = batch.day.new_zeros((*shape, self.projection.out_features))
            return vectors, torch.zeros(shape, dtype=torch.bool, device=batch.day.device)
        mask = batch.view_mask
        vectors = self.projection.weight.new_zeros((*mask.shape, self.projection.out_features))
        if mask.any():
            found = self.projection(self.backbone(normalised(batch.views[mask])))
            vectors[mask] = found.to(vectors.dtype)  # autocast may have left it in half
        return vectors, mask


class Conditioned(nn.Module):
    """A vector scaled and shifted by what is known of where it comes from.

    Source: the code published with Yala et al. 2021 (x scaled and shifted by an embedding of time,
    view and side); the scale is written as 1 plus a learned one, so that it begins near x.
    """

    def __init__(self, known: int, dim: int) -> None:
        super().__init__()
        self.scale = nn.Linear(known, dim)
        self.shift = nn.Linear(known, dim)

    def forward(
        self, vectors: Float[Tensor, "*item dim"], known: Float[Tensor, "*item known"]
    ) -> Float[Tensor, "*item dim"]:
        """The vectors, conditioned."""
        conditioned: Tensor = vectors * (1 + self.scale(known)) + self.shift(known)
        return conditioned


class AttentionPool(nn.Module):
    """A transformer over a set, then its mean, weighed by attention.

    Args:
        config: Of the model.
        maybe_empty: Learn a vector that stands for a set of nothing.
    """

    def __init__(self, config: MiraiConfig, *, maybe_empty: bool) -> None:
        super().__init__()
        dim = config.dim
        layer = nn.TransformerEncoderLayer(
            dim, config.heads, 4 * dim, config.dropout, batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, config.layers, enable_nested_tensor=False)
        self.attention = nn.Linear(dim, 1, bias=False)
        self.nothing = nn.Parameter(torch.randn(dim) * 0.02) if maybe_empty else None

    def forward(
        self, items: Float[Tensor, "set item dim"], mask: Bool[Tensor, "set item"]
    ) -> Float[Tensor, "set dim"]:
        """One vector a set."""
        empty = ~mask.any(dim=1)
        seen = mask | empty[:, None]  # attention over nothing has no value
        states = self.layers(items, src_key_padding_mask=~seen)
        scores = self.attention(states).squeeze(-1).masked_fill(~seen, -torch.inf)
        pooled = (scores.softmax(dim=1)[:, :, None] * states).sum(dim=1)
        return pooled if self.nothing is None else torch.where(empty[:, None], self.nothing, pooled)


class Mirai(nn.Module):
    """Views to an exam's vector and, with more exams than one, visits to a patient's.

    With one exam it is Mirai's image encoder and image aggregator, without its risk-factor branch;
    with more it is LoMaR: Mirai's vector of each visit, told how long before the landmark it was,
    through a transformer over visits, any number of which may be missing. Both papers train the
    image encoder first and freeze it; here all is trained together, on the same patients as LUMIN.

    Source: Yala et al. 2021, "Toward robust mammography-based models for breast cancer risk";
    Karaman et al. 2024, "Longitudinal mammogram risk prediction", each with its published code.
    Ours differ from the code in this: transformer layers norm first and are 4 dim wide within
    (Mirai's norm last and are dim wide); views are pooled by attention, one of three ways that
    Mirai was searched over; its encoder ends in a global maximum, ours in timm's own pooling; and
    visits are told by their years before the landmark and pooled by attention, where LoMaR adds a
    sinusoid of the visit's number and takes the mean, for its visits are a year apart.

    Args:
        config: What is built.
        logits: How many numbers the head asks for.
        initial_weights: False leaves the encoder unfilled, for a checkpoint to follow.
    """

    def __init__(self, config: MiraiConfig, logits: int, *, initial_weights: bool = True) -> None:
        super().__init__()
        self.config = config
        self.image = ViewEncoder(config.image, config.dim, initial_weights=initial_weights)
        self.kind = Conditioned(len(VIEW_KINDS), config.dim)
        self.views = AttentionPool(config, maybe_empty=True)
        self.time = Conditioned(1, config.dim) if config.exams > 1 else None
        several = config.exams > 1
        self.visits = AttentionPool(config, maybe_empty=False) if several else None
        self.output = nn.Linear(config.dim, logits)

    def forward(self, batch: Batch) -> Output:
        """Logits of each patient, and the vector of each visit."""
        seen = latest_exams(batch, self.config.exams)
        exams = self.exams(seen)
        vector = exams[:, -1]
        if self.time is not None and self.visits is not None:
            years = torch.log1p(seen.day.abs() / _DAYS_A_YEAR)[:, :, None]
            vector = self.visits(self.time(exams, years), seen.exam_mask)
        count = exams.shape[1]
        parts = {f"exam@{slot + 1}": exams[:, slot] for slot in range(count)}
        masks = {f"exam@{slot + 1}": seen.exam_mask[:, slot] for slot in range(count)}
        return Output(self.output(vector), parts, masks)

    def exams(self, seen: Batch) -> Float[Tensor, "patient exam dim"]:
        """The vector of each visit, from its views."""
        vectors, mask = self.image(seen)
        if seen.view_kind is None:
            kind = torch.zeros(mask.shape, dtype=torch.int64, device=mask.device)
        else:
            kind = seen.view_kind.masked_fill(~mask, 0)
        known = nn.functional.one_hot(kind, len(VIEW_KINDS)).to(vectors.dtype)
        items = self.kind(vectors, known).masked_fill(~mask[..., None], 0.0)
        pooled = self.views(items.flatten(0, 1), mask.flatten(0, 1))
        exams: Tensor = pooled.unflatten(0, mask.shape[:2])
        return exams
