"""What KEMM's rivals are made of: one configuration, for they differ in their drawing alone."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, TypeAlias, get_args

from pydantic import Field, model_validator

from sequela.errors import UsageError
from sequela.models.kemm_config import KemmConfig, Modality
from sequela.models.seen_once import SeenOnce

Design = Literal[
    "snn",
    "abmil",
    "clam",
    "transmil",
    "text-only",
    "mean-fusion",
    "porpoise",
    "mcat",
    "motcat",
    "cmta",
    "survpath",
    "mmp",
]
DESIGNS: tuple[Design, ...] = get_args(Design)
GENE_TABLES: tuple[Modality, ...] = ("genes", "mutation", "copy_number")
_BOTH: tuple[Modality, ...] = ("slide", *GENE_TABLES)
_READS: Mapping[Design, tuple[Modality, ...]] = MappingProxyType(
    {
        "snn": GENE_TABLES,
        **dict.fromkeys(("abmil", "clam", "transmil"), ("slide",)),
        "text-only": ("report",),
        "mean-fusion": (*_BOTH, "report", "clinical"),
    }
)


class PeerConfig(SeenOnce):
    """A published model of slides, genes or reports, on the batch and under the head of the rest.

    Head, loss, optimiser and dropout are those of the study, the same for all; each file says where
    its drawing departs from the paper's. A patient who lacks a modality that the cohort has is not
    refused: its vector is zeros.

    Attributes:
        design: Which paper's.
        dim: Width of all tokens and vectors.
        hidden: Width inside the network of a gene set.
        heads: Attention heads, where the paper has several.
        prototypes: How many a slide is summed up by, in MMP.
        dropout: Share of activations dropped in training.
        reads: What the cohort has of what the design reads; filled in before it is built.
    """

    family: Literal["peer"] = "peer"
    design: Design
    dim: int = Field(default=256, ge=8)
    hidden: int = Field(default=256, ge=1)
    heads: int = Field(default=8, ge=1)
    prototypes: int = Field(default=16, ge=1)
    dropout: float = Field(default=0.25, ge=0, lt=1)
    reads: tuple[Modality, ...] = ()

    @model_validator(mode="after")
    def _heads_fit(self) -> PeerConfig:
        if self.dim % self.heads:
            raise ValueError(f"dim ({self.dim}) is no multiple of heads ({self.heads})")
        return self

    @property
    def claims(self) -> Literal["none"]:
        """It knows nothing beforehand."""
        return "none"

    @property
    def reports(self) -> Literal["own"]:
        """Of a report, it reads the patient's own."""
        return "own"

    @property
    def fields(self) -> tuple[str, ...]:
        """All fields of a report."""
        return ()

    @property
    def modalities(self) -> tuple[Modality, ...]:
        """What its design reads of a patient."""
        return _READS.get(self.design, _BOTH)

    @property
    def gene_tables(self) -> tuple[Modality, ...]:
        """Tables of genes that are read."""
        return tuple(name for name in GENE_TABLES if name in self.reads)

    def reads_of(self, there: Mapping[str, bool]) -> PeerConfig:
        """The same, reading only what a cohort has.

        Raises:
            UsageError: If it lacks slides, reports, or every table of genes, where these are read.
        """
        left = tuple(name for name in self.modalities if there.get(name, False))
        needed: dict[str, set[Modality]] = {
            "slide features": {"slide"},
            "a table of expression, mutation or copy number": set(GENE_TABLES),
            "pathology reports": {"report"},
        }
        if self.design == "mean-fusion":
            needed = {"slides, genes, reports or clinical covariates": set(self.modalities)}
        for what, names in needed.items():
            if names & set(self.modalities) and not names & set(left):
                raise UsageError(
                    f"variant {self.design} reads {what}, and the cohort has none",
                    hint="add them to the cohort, or choose another variant: "
                    "`sequela list variants` says what each reads",
                )
        return self.evolve(reads=left)


PatientConfig: TypeAlias = KemmConfig | PeerConfig
"""A model of patients who are seen once."""
