"""KEMM's variants and controls by name: what each changes of a configuration."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from sequela.errors import UsageError
from sequela.models.kemm_config import MODALITIES, STRAIGHT, KemmConfig


def _only(*reads: str, **changes: Any) -> dict[str, Any]:
    """A control that reads these alone, without the straight way of what it does not read."""
    skip = tuple(name for name in STRAIGHT if name in reads)
    return {"reads": reads, "skip": skip, **changes}


_PLAIN = {"kecm": "none", "claims": "none"}
_TOO = "skip_too"
"""What passes the network of a variant though the configuration does not let it, if any does."""

# What each variant changes of a configuration.
CHANGES: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "kemm": {},
        "kemm-bias": {"kecm": "bias"},
        "kemm-gate": {"kecm": "gate"},
        "kemm-late-concat": {"kecm": "late-concat"},
        "kemm-none": {"kecm": "none"},
        "kemm-without-skip": {"skip": ()},
        "kemm-report-skip": {_TOO: ("report",)},
        "kemm-one-head": {"heads": 1},
        "kemm-relu": {"adapter": "relu"},
        "learned-queries": {"kecm": "none", "learned": 24},
        "wrong-cancer-pbk": {"claims": "wrong-cancer"},
        "shuffled-reports": {"reports": "shuffled"},
        "without-report": _only(*(name for name in MODALITIES if name != "report")),
        "without-pbk": {"claims": "none"},
        "without-genes": _only("slide", "report", "clinical"),
        "without-clinical": _only(*(name for name in MODALITIES if name != "clinical")),
        "report-only": _only("report", **_PLAIN, **{_TOO: ("report",)}),
        "stage-only": _only("report", fields=("stage",), **_PLAIN, **{_TOO: ("report",)}),
        "pbk-only": _only(),
        "slide-only": _only("slide", **_PLAIN),
        "genes-only": _only("genes", **_PLAIN),
        "clinical-only": _only("clinical", **_PLAIN),
    }
)

WORDS: Mapping[str, str] = MappingProxyType(
    {
        "kemm": "slides, genes, report and clinical covariates; knowledge asks (KECM)",
        "kemm-bias": "KEMM, knowledge shifting learned queries",
        "kemm-gate": "KEMM, knowledge gating what learned queries gather",
        "kemm-late-concat": "KEMM, knowledge beside what learned queries gather",
        "kemm-none": "KEMM without knowledge in its attention",
        "kemm-without-skip": "KEMM without the straight way",
        "kemm-report-skip": "KEMM, fields of the report in its straight way, too",
        "kemm-one-head": "KEMM with one attention head: the cheapest to fold",
        "kemm-relu": "KEMM with a non-linear adapter of patches, as other models have",
        "learned-queries": "control: as many queries as KEMM, all learned",
        "wrong-cancer-pbk": "control: background knowledge of another cancer",
        "shuffled-reports": "control: every patient with another's report",
        "without-report": "KEMM without reports",
        "without-pbk": "KEMM without background knowledge",
        "without-genes": "KEMM without expression, mutation and copy number",
        "without-clinical": "KEMM without clinical covariates",
        "report-only": "the report alone",
        "stage-only": "the report's stage alone",
        "pbk-only": "control: background knowledge alone, alike for all of a cancer",
        "slide-only": "slides alone",
        "genes-only": "genes alone",
        "clinical-only": "clinical covariates alone",
    }
)


def kemm_variant(name: str, full: KemmConfig | None = None) -> KemmConfig:
    """The variant of that name, of the model that it leaves something out of.

    Raises:
        UsageError: If there is no such variant.
    """
    if name not in CHANGES:
        raise UsageError(
            f"there is no variant {name}", hint="`sequela list variants` names all of them"
        )
    full, changes = full or KemmConfig(), dict(CHANGES[name])
    for part in ("reads", "skip"):
        if part in changes:
            changes[part] = tuple(item for item in getattr(full, part) if item in changes[part])
    if too := changes.pop(_TOO, ()):
        passes = {*changes.get("skip", full.skip), *too} if full.skip else ()
        changes["skip"] = tuple(item for item in STRAIGHT if item in passes)
    asked = CHANGES[name].get("reads")
    if asked and not changes["reads"]:
        raise UsageError(
            f"variant {name} reads {', '.join(asked)}, which model.reads leaves out",
            hint="choose another variant, or add it to model.reads",
        )
    return full.evolve(**changes)
