"""What every model returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class Output:
    """Logits of each patient, and the named parts that they were computed from.

    Attributes:
        logits: As many a patient as the head asks for.
        parts: Part name (`image@2`, `shared@1`, `varying` …) to its tokens.
    """

    logits: Float[Tensor, "patient logit"]
    parts: Mapping[str, Float[Tensor, "patient dim"]] = field(default_factory=dict)
