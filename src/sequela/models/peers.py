"""KEMM's rivals by name: published models of slides, genes and reports, each in its own file."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import assert_never

from torch import nn

from sequela.fusion.co_attention import CoAttention
from sequela.fusion.transport import TransportAttention
from sequela.models.abmil import Abmil
from sequela.models.clam import Clam
from sequela.models.cmta import Cmta
from sequela.models.mcat import Mcat
from sequela.models.mean_fusion import MeanFusion
from sequela.models.mmp import Mmp
from sequela.models.peer_config import DESIGNS, PeerConfig
from sequela.models.porpoise import Porpoise
from sequela.models.snn import Snn
from sequela.models.survpath import SurvPath
from sequela.models.transmil import TransMil

WORDS: Mapping[str, str] = MappingProxyType(
    {
        "snn": "genes; self-normalising network (Klambauer 2017)",
        "abmil": "slides; gated attention (Ilse 2018)",
        "clam": "slides; gated attention that tells its clusters apart (Lu 2021)",
        "transmil": "slides; attention among patches, placed in a square (Shao 2021)",
        "text-only": "report fields; gated attention",
        "mean-fusion": "all there is; late fusion: a network a modality, their mean logits",
        "porpoise": "slides and genes; gated Kronecker product (Chen 2022)",
        "mcat": "slides and gene sets; co-attention, set transformers (Chen 2021)",
        "motcat": "MCAT with an optimal transport plan for its attention (Xu 2023)",
        "cmta": "slides and gene sets; each told in the other's words (Zhou 2023)",
        "survpath": "slides and gene sets; sparse joint attention (Jaume 2024)",
        "mmp": "slide prototypes and gene sets; joint attention (Song 2024)",
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
        case "clam":
            return Clam(config, logits)
        case "transmil":
            return TransMil(config, logits)
        case "mean-fusion":
            return MeanFusion(config, logits)
        case "porpoise":
            return Porpoise(config, logits)
        case "motcat":
            return Mcat(config, logits, TransportAttention())
        case "cmta":
            return Cmta(config, logits)
        case "mmp":
            return Mmp(config, logits)
        case "mcat":
            return Mcat(config, logits, CoAttention(config.dim))
        case "survpath":
            return SurvPath(config, logits)
        case _:
            assert_never(config.design)
