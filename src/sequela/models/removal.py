"""A trained model with a named part taken away, without training it again.

The retrained ablation asks what a model without the part can learn; this one asks what the trained
model does with it. A removed part is masked where the tokens are joined and zero where another
part reads it; removed images or texts are those of a patient who has none. Of a model of patients
who are seen once, what is taken away is a modality, before it is read (`PatientInputs.without`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

from sequela.errors import UsageError
from sequela.models.lumin import Lumin, LuminConfig
from sequela.models.peer_config import PatientConfig

EVOLUTION = "te-dke"
"""All temporal parts at once."""
INPUTS = ("images", "texts")
"""What is read; from a model that reads both, either can be taken."""


def removable(config: object) -> tuple[str, ...]:
    """The names of what can be taken from a trained model."""
    if isinstance(config, PatientConfig):
        return config.reads if len(config.reads) > 1 else ()
    if not isinstance(config, LuminConfig):
        return ()
    inputs = tuple(INPUTS) if len(config.modalities) > 1 else ()
    whole = (EVOLUTION,) if config.temporal else ()
    clinical = ("clinical",) if config.clinical else ()
    return (*config.cross_modal, *config.temporal, *whole, *clinical, *inputs)


def minus(variant: str, part: str) -> str:
    """What a variant is called where a part is taken away at inference."""
    return f"{variant} minus {part} (at inference)"


@contextmanager
def removed(model: nn.Module, part: str) -> Iterator[None]:
    """The model without a part, until the block ends.

    Args:
        model: Trained.
        part: One of `removable(model.config)`.

    Raises:
        UsageError: If the model has no such part.
    """
    names = removable(getattr(model, "config", None))
    if not isinstance(model, Lumin) or part not in names:
        raise UsageError(
            f"this model has no part {part} to take away",
            hint=f"it has {', '.join(names)}" if names else "baselines have none",
        )
    model.removed = frozenset(model.config.temporal if part == EVOLUTION else (part,))
    try:
        yield
    finally:
        model.removed = frozenset()
