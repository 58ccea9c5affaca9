"""LUMIN's variants and baselines by name: every row of the paper's tables."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, TypeVar

from sequela.errors import UsageError
from sequela.models.lumin import CROSS_MODAL, TEMPORAL, LuminConfig

_EXAMS = {1: "the last exam", 2: "the last two exams"}


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


def variant(name: str, full: LuminConfig | None = None) -> LuminConfig:
    """The variant of that name.

    Args:
        name: One of `VARIANTS`.
        full: The full model that it leaves something out of; the paper's by default.

    Raises:
        UsageError: If there is no such variant, or all that it reads is what `full` lacks.
    """
    if name not in CHANGES:
        raise UsageError(
            f"there is no variant {name}", hint="`sequela list variants` names all of them"
        )
    full, changes = full or LuminConfig(), CHANGES[name]
    kept = [kind for kind in ("image", "text") if changes.get(kind, "kept") == "kept"]
    if len(kept) == 1:
        require_encoder(name, getattr(full, kept[0]), kept[0])
    if full.modalities != ("image", "text"):
        changes = {**changes, "pretrained_alignment": False}
    return full.evolve(**changes)


Encoder = TypeVar("Encoder")


def require_encoder(name: str, encoder: Encoder | None, kind: str) -> Encoder:
    """The only encoder of a variant.

    Raises:
        UsageError: If there is none.
    """
    if encoder is None:
        raise UsageError(
            f"variant {name} reads {kind}s, which the cohort or the model section leaves out",
            hint="choose another variant: st-i and resnet50 read images, st-r texts, and lumin "
            "what there is",
        )
    return encoder


VARIANTS: Mapping[str, LuminConfig] = MappingProxyType({name: variant(name) for name in CHANGES})
