"""What may be asked of parts beyond predicting: to be apart, and to hold what is shared.

The LUMIN paper names no such loss; both are 0 unless asked for.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from jaxtyping import Bool, Float
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from sequela.settings import Settings

APART = (("image", "shared"), ("text", "shared"), ("invariant", "varying"))


class DecompositionLoss(Settings):
    """Weights of the terms that are added to the head's loss in training.

    Attributes:
        decorrelation: Of the mean squared correlation between the units of two parts that are to
            say different things: image and shared, text and shared, invariant and varying.
        alignment: Of one minus the cosine between the shared part and the vectors of image and
            text, all centred over the batch.
    """

    decorrelation: float = Field(0.0, ge=0)
    alignment: float = Field(0.0, ge=0)

    @property
    def asked(self) -> bool:
        """Whether any term has a weight."""
        return self.decorrelation > 0 or self.alignment > 0


def decorrelation(
    first: Float[Tensor, "item dim"], second: Float[Tensor, "item dim"]
) -> Float[Tensor, ""]:
    """Mean squared correlation between each unit of one part and each of the other.

    0 with fewer than two items, of which no correlation is defined.

    Source: Bousmalis et al. 2016, eq. 5 (the squared Frobenius norm of first' second), with every
    unit standardised over the batch, where the code of theirs and of Hazarika et al. 2020 centres
    units and gives each item's vector length 1: so it is a correlation, whatever a unit's scale.
    """
    if len(first) < 2:
        return (first.sum() + second.sum()) * 0.0
    correlation = _standard(first).T @ _standard(second) / len(first)
    return correlation.square().mean()


def alignment(
    shared: Float[Tensor, "item dim"], vector: Float[Tensor, "item dim"]
) -> Float[Tensor, ""]:
    """One minus the mean cosine of the two, both centred over the batch; 0 with fewer than two.

    Source: after the similarity term of Hazarika et al. 2020, which compares central moments of the
    modalities' shared vectors; a cosine compares the two of one exam instead.
    """
    if len(shared) < 2:
        return (shared.sum() + vector.sum()) * 0.0
    cosine = F.cosine_similarity(shared - shared.mean(dim=0), vector - vector.mean(dim=0))
    return 1 - cosine.mean()


def decomposition_penalty(
    parts: Mapping[str, tuple[Float[Tensor, "*item dim"], Bool[Tensor, "*item"]]],
    vectors: Mapping[str, Float[Tensor, "patient exam dim"]],
    paired: Bool[Tensor, "patient exam"],
    weights: DecompositionLoss,
) -> Float[Tensor, ""]:
    """The weighed sum of the terms whose parts the model has.

    Args:
        parts: Each part's tokens, and which there are.
        vectors: The encoders' vectors of image and text.
        paired: Exams that have both.
        weights: Of the terms; one of weight 0 is not computed.
    """
    total = next(iter(vectors.values())).new_zeros(())
    if weights.decorrelation:
        for one, other in APART:
            if one in parts and other in parts:
                (first, has), (second, too) = parts[one], parts[other]
                both = has & too
                apart = decorrelation(first[both], second[both])
                total = total + weights.decorrelation * apart
    if weights.alignment and "shared" in parts:
        for vector in vectors.values():
            near = alignment(parts["shared"][0][paired], vector[paired])
            total = total + weights.alignment * near / len(vectors)
    return total


def _standard(values: Float[Tensor, "item dim"]) -> Float[Tensor, "item dim"]:
    centred = values - values.mean(dim=0)
    return centred / (centred.square().mean(dim=0) + 1e-6).sqrt()


def pairs_of(
    view_mask: Bool[Tensor, "patient exam view"] | None,
    text_mask: Bool[Tensor, "patient exam"] | None,
    exam_mask: Bool[Tensor, "patient exam"],
) -> Bool[Tensor, "patient exam"]:
    """Exams with an image and a text."""
    if view_mask is None or text_mask is None:
        return torch.zeros_like(exam_mask)
    return view_mask.any(dim=2) & text_mask & exam_mask
