"""Alignment of an exam's images and text before any outcome is seen (DMA, LUMIN eqs. 1-3)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from sequela.encoders.image import ImageEncoder, ImageEncoderConfig
from sequela.encoders.text import TextEncoder, TextEncoderConfig
from sequela.errors import DataError
from sequela.modalities.batch import Batch

INITIAL_TEMPERATURE = 0.07
LARGEST_SCALE = 100.0


class AlignmentModel(nn.Module):
    """LUMIN's two encoders under the names that LUMIN gives them, and a temperature.

    Args:
        image: The image encoder.
        text: The text encoder.
        dim: Width of the common space.
        initial_weights: False leaves the encoders unfilled, for a checkpoint to follow.
    """

    def __init__(
        self,
        image: ImageEncoderConfig,
        text: TextEncoderConfig,
        dim: int,
        *,
        initial_weights: bool = True,
    ) -> None:
        super().__init__()
        self.image = ImageEncoder(image, dim, initial_weights=initial_weights)
        self.text = TextEncoder(text, dim, initial_weights=initial_weights)
        self.log_scale = nn.Parameter(torch.tensor(-math.log(INITIAL_TEMPERATURE)))

    @property
    def scale(self) -> Float[Tensor, ""]:
        """One over the temperature, at most 100."""
        scale: Tensor = self.log_scale.exp().clamp(max=LARGEST_SCALE)
        return scale

    def forward(
        self, batch: Batch
    ) -> tuple[Float[Tensor, "pair dim"], Float[Tensor, "pair dim"], Int[Tensor, "pair token"]]:
        """Unit vectors of the image and of the text of every exam that has both, and its tokens.

        Raises:
            DataError: If no exam of the batch has both.
        """
        images, imaged = self.image(batch)
        texts, worded = self.text(batch)
        pairs = imaged & worded
        if batch.tokens is None or batch.token_mask is None or not pairs.any():
            raise DataError("alignment needs exams with image and text; this batch has none")
        words = batch.tokens.masked_fill(~batch.token_mask, -1)[pairs]
        return F.normalize(images[pairs], dim=1), F.normalize(texts[pairs], dim=1), words

    def loss(self, batch: Batch, text_ids: Int[Tensor, " pair"] | None = None) -> Float[Tensor, ""]:
        """The symmetric contrastive loss of the batch's pairs.

        Args:
            batch: Exams; at most one of a patient.
            text_ids: Equal where two exams have an equal text; by default read off the tokens.
        """
        images, texts, words = self(batch)
        equal = equal_rows(words if text_ids is None else text_ids[:, None])
        return symmetric_info_nce(images, texts, self.scale, equal)


def equal_rows(rows: Int[Tensor, "pair token"]) -> Bool[Tensor, "pair pair"]:
    """True where two rows hold the same."""
    number = torch.unique(rows, dim=0, return_inverse=True)[1]
    equal: Tensor = number[:, None] == number
    return equal


def symmetric_info_nce(
    images: Float[Tensor, "pair dim"],
    texts: Float[Tensor, "pair dim"],
    scale: Float[Tensor, ""],
    equal_text: Bool[Tensor, "pair pair"],
) -> Float[Tensor, ""]:
    """Mean cross-entropy of finding each image's text, and each text's image (eq. 3).

    Another exam with an equal text is neither right nor wrong: it leaves the denominator. Sums of
    both directions are halved, as the paper's 1/2N does.

    Args:
        images: Unit vectors.
        texts: Unit vectors of the texts of the same exams.
        scale: One over the temperature.
        equal_text: True where two exams have an equal text.
    """
    own = torch.arange(len(images), device=images.device)
    duplicate = equal_text & (own[:, None] != own)
    similarity = (scale * images @ texts.T).masked_fill(duplicate, -torch.inf)
    return (F.cross_entropy(similarity, own) + F.cross_entropy(similarity.T, own)) / 2


@dataclass(frozen=True)
class Transfer:
    """What became of weights that were handed over.

    Attributes:
        loaded: Names of parameters and buffers that were filled.
        left_out: Names that the source has and the model does not.
        kept: Names of the model's encoders that the source does not have.
    """

    loaded: tuple[str, ...]
    left_out: tuple[str, ...]
    kept: tuple[str, ...]


def load_aligned(model: nn.Module, state: Mapping[str, Tensor]) -> Transfer:
    """Fill `model`'s encoders with those of an `AlignmentModel`'s state.

    Raises:
        DataError: If a weight of the same name has another shape, or nothing fits.
    """
    own = model.state_dict()
    encoders = {name for name in own if name.startswith(("image.", "text."))}
    shared = {name: state[name] for name in encoders & set(state)}
    misfits = sorted(name for name in shared if own[name].shape != shared[name].shape)
    if misfits or not shared:
        raise DataError(
            "the aligned encoders do not fit this model",
            hint="pretrain again with the same image, text and dim settings as the model",
            items=tuple(misfits),
        )
    model.load_state_dict(shared, strict=False)
    return Transfer(
        tuple(sorted(shared)),
        tuple(sorted(set(state) - encoders)),
        tuple(sorted(encoders - set(state))),
    )
