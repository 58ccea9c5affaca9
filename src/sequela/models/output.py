"""What every model returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from jaxtyping import Bool, Float
from torch import Tensor


@dataclass(frozen=True)
class Output:
    """Logits of each patient, and the named parts that they were computed from.

    Attributes:
        logits: As many a patient as the head asks for.
        parts: Part name (`image@2`, `shared@1`, `varying` …) to its tokens.
        masks: Part name to who has it; a part without an entry is had by all.
        penalty: What the model adds to the head's loss in training; None for nothing.
    """

    logits: Float[Tensor, "patient logit"]
    parts: Mapping[str, Float[Tensor, "patient dim"]] = field(default_factory=dict)
    masks: Mapping[str, Bool[Tensor, " patient"]] = field(default_factory=dict)
    penalty: Float[Tensor, ""] | None = None
