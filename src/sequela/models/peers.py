"""KEMM's rivals by name: published models of slides, genes and reports, each in its own file."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import assert_never

from torch import nn

from sequela.fusion.co_attention import CoAttention
from sequela.models.abmil import Abmil
from sequela.models.mcat import Mcat
from sequela.models.peer_config import DESIGNS, Design, PeerConfig
from sequela.models.snn import Snn
from sequela.models.survpath import SurvPath

WORDS: Mapping[Design, str] = MappingProxyType(
    {
        "snn": "genes; self-normalising network (Klambauer 2017)",
        "abmil": "slides; gated attention (Ilse 2018)",
        "text-only": "report fields; gated attention",
        "mcat": "slides and gene sets; co-attention, set transformers (Chen 2021)",
        "survpath": "slides and gene sets; sparse joint attention (Jaume 2024)",
    }
)


def peer_variant(name: str, full: PeerConfig | None = None) -> PeerConfig | None:
    """The rival of that name, with the sizes of `full`; None if there is none."""
    for design in DESIGNS:
        if design == name:
            return PeerConfig(design=design) if full is None else full.evolve(design=design)
    return None


def build_peer(config: PeerConfig, logits: int) -> nn.Module:
    """The network of `config`, whose data's shape is known."""
    match config.design:
        case "snn":
            return Snn(config, logits)
        case "abmil" | "text-only":
            return Abmil(config, logits)
        case "mcat":
            return Mcat(config, logits, CoAttention(config.dim))
        case "survpath":
            return SurvPath(config, logits)
        case _:
            assert_never(config.design)
