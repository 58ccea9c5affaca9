"""Late fusion: an image model and a text model that never met, and what both say together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from sequela.encoders.image import ImageEncoderConfig
from sequela.encoders.text import TextEncoderConfig
from sequela.fusion.timeline import latest_exams
from sequela.modalities.batch import Batch
from sequela.models.lumin import Lumin, LuminConfig
from sequela.models.output import Output
from sequela.settings import Settings

MEMBERS = ("st-i", "st-r")
"""The variants that are fused, which are trained first."""
STACKED = "late-fusion-stacked"
HeadLoss: TypeAlias = Callable[[Float[Tensor, "patient logit"]], Float[Tensor, ""]]
_RIDGE = 1.0


def presence(batch: Batch, exams: int) -> tuple[Bool[Tensor, " patient"], Bool[Tensor, " patient"]]:
    """Who has an image, and who a text, at the exams that are seen."""
    seen = latest_exams(batch, exams)
    nobody = torch.zeros_like(seen.exam_mask[:, 0])
    images = nobody if seen.view_mask is None else seen.view_mask.any(dim=2).any(dim=1)
    return images, nobody if seen.text_mask is None else seen.text_mask.any(dim=1)


class LateFusionConfig(Settings):
    """Two models trained apart on the same patients.

    Attributes:
        family: Tells the families' configurations apart.
        of_images: The model that reads images.
        of_texts: The model that reads texts.
        stacked: Weigh their logits as validation patients ask; otherwise take the mean.
    """

    family: Literal["late-fusion"] = "late-fusion"
    of_images: LuminConfig
    of_texts: LuminConfig
    stacked: bool = False

    @property
    def image(self) -> ImageEncoderConfig | None:
        """The image encoder."""
        return self.of_images.image

    @property
    def text(self) -> TextEncoderConfig | None:
        """The text encoder."""
        return self.of_texts.text

    @property
    def clinical(self) -> bool:
        """Whether its members read clinical covariates."""
        return self.of_images.clinical

    @property
    def exams(self) -> int:
        """How many exams are seen at most."""
        return max(self.of_images.exams, self.of_texts.exams)

    @property
    def modalities(self) -> tuple[str, ...]:
        """What is read of an exam."""
        return ("image", "text")

    @property
    def pretrained_alignment(self) -> bool:
        """It starts from its members, not from aligned encoders."""
        return False

    @property
    def head(self) -> None:
        """The head it comes with: none, it takes its members'."""

    def portable(self) -> LateFusionConfig:
        """The same without the path of the text encoder."""
        return self.evolve(of_images=self.of_images, of_texts=self.of_texts.portable())


class LateFusion(nn.Module):
    """Weighed logits of both members; of a patient with images or texts alone, that member's own.

    Args:
        config: Both members.
        logits: How many numbers the head asks for.
        initial_weights: False leaves the encoders unfilled, for checkpoints to follow.
    """

    def __init__(
        self, config: LateFusionConfig, logits: int, *, initial_weights: bool = True
    ) -> None:
        super().__init__()
        self.config = config
        self.of_images = Lumin(config.of_images, logits, initial_weights=initial_weights)
        self.of_texts = Lumin(config.of_texts, logits, initial_weights=initial_weights)
        self.weights = nn.Parameter(torch.full((2,), 0.5))
        self.intercept = nn.Parameter(torch.zeros(()))

    def forward(self, batch: Batch) -> Output:
        """Logits of each patient, and its members' parts."""
        images, texts = self.of_images(batch), self.of_texts(batch)
        logits = self.fused(images.logits, texts.logits, *presence(batch, self.config.exams))
        return Output(logits, {**images.parts, **texts.parts}, {**images.masks, **texts.masks})

    def apart(self, batch: Batch) -> tuple[Tensor, ...]:
        """The logits of the image model and of the text model; who has images, and who texts."""
        logits = self.of_images(batch).logits, self.of_texts(batch).logits
        return (*logits, *presence(batch, self.config.exams))

    def fused(
        self,
        images: Float[Tensor, "patient logit"],
        texts: Float[Tensor, "patient logit"],
        has_images: Bool[Tensor, " patient"],
        has_texts: Bool[Tensor, " patient"],
    ) -> Float[Tensor, "patient logit"]:
        """What both members' logits give together."""
        both = self.weights[0] * images + self.weights[1] * texts + self.intercept
        alone = torch.where(has_images[:, None], images, texts)
        return torch.where((has_images == has_texts)[:, None], both, alone)

    def stack(
        self,
        head_loss: HeadLoss,
        images: Float[Tensor, "patient logit"],
        texts: Float[Tensor, "patient logit"],
        has_images: Bool[Tensor, " patient"],
        has_texts: Bool[Tensor, " patient"],
    ) -> None:
        """Set the weights to those under which the head's loss of some patients is least.

        Three numbers, pulled to the mean by a small ridge, so that a few validation patients do.

        Args:
            head_loss: The loss of these patients' logits.
            images: Logits of the image model.
            texts: Logits of the text model.
            has_images: Who has images.
            has_texts: Who has texts.

        Source: Wolpert 1992 (stacked generalisation), Breiman 1996.
        """
        optimizer = torch.optim.LBFGS(
            [self.weights, self.intercept], max_iter=100, line_search_fn="strong_wolfe"
        )

        def closure() -> float:
            optimizer.zero_grad()
            loss = head_loss(self.fused(images, texts, has_images, has_texts))
            pull = (self.weights - 0.5).square().sum() + self.intercept.square()
            total = loss + _RIDGE / len(images) * pull
            total.backward()  # type: ignore[no-untyped-call]
            return total.item()

        optimizer.step(closure)  # type: ignore[no-untyped-call]
