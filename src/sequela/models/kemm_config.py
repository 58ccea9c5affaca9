"""What KEMM is made of: which modalities it reads, how knowledge guides it, how large it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

from pydantic import Field, model_validator

from sequela.errors import UsageError
from sequela.models.gene_components import OF_RIDGE
from sequela.models.seen_once import SeenOnce

Modality = Literal["slide", "genes", "mutation", "copy_number", "report", "clinical"]
MODALITIES: tuple[Modality, ...] = get_args(Modality)
Straight = Literal["clinical", "genes", "report"]
STRAIGHT: tuple[Straight, ...] = get_args(Straight)
"""Modalities that can pass the network by."""
SOURCES: tuple[Modality, ...] = ("slide", "genes", "mutation", "copy_number")
"""Modalities that are asked; reports and claims ask."""


class KemmConfig(SeenOnce):
    """KEMM in full; a variant or a control leaves something out or puts something wrong in.

    Attributes:
        reads: Modalities, as far as the cohort has them.
        kecm: Knowledge as queries; as a shift of learned queries; as a gate on what they gather;
            side by side with it; or not at all.
        claims: Background knowledge of the patient's cancer, of another one, or none.
        reports: Each patient's own report, or another patient's.
        fields: Fields of the report that are read; all if empty.
        learned: Learned queries beside those of knowledge.
        dim: Width of all tokens.
        heads: Attention heads.
        layers: Exchanges between modalities.
        hidden: Width inside the network of a gene set.
        adapter: What patch features pass before they are asked: `linear` folds into the queries
            and costs nothing; `relu` is the non-linear one of other models.
        shared_space: How strongly a claim looks for patches like its own vector, where the slide
            encoder and the text encoder were trained into one space, as CONCH and PLIP are; 0
            leaves all of it to be learned.
        dropout: Share of activations dropped in training.
        modality_dropout: Chance that a modality is hidden from a training step, for each patient.
        skip: What passes the network by, with the mean weights of two Cox models: an elastic net
            and a ridge for each modality.
        components: Principal components of expression among it, for the ridge; the elastic net
            chooses among the first thirty.
        skip_learned: Whether training changes these weights.
    """

    family: Literal["kemm"] = "kemm"
    reads: tuple[Modality, ...] = MODALITIES
    kecm: Literal["query", "bias", "gate", "late-concat", "none"] = "query"
    claims: Literal["own", "wrong-cancer", "none"] = "own"
    reports: Literal["own", "shuffled"] = "own"
    fields: tuple[str, ...] = ()
    learned: int = Field(default=4, ge=1)
    dim: int = Field(default=32, ge=1)
    heads: int = Field(default=4, ge=1)
    layers: int = Field(default=1, ge=0)
    hidden: int = Field(default=16, ge=1)
    adapter: Literal["linear", "relu"] = "linear"
    shared_space: float = Field(default=0.0, ge=0)
    dropout: float = Field(default=0.25, ge=0, lt=1)
    modality_dropout: float = Field(default=0.1, ge=0, lt=1)
    skip: tuple[Straight, ...] = ("clinical", "genes")
    components: int = Field(default=OF_RIDGE, ge=1)
    skip_learned: bool = False

    @model_validator(mode="after")
    def _heads_fit(self) -> KemmConfig:
        if self.dim % self.heads:
            raise ValueError(f"dim ({self.dim}) is no multiple of heads ({self.heads})")
        if self.shared_space and self.adapter != "linear":
            raise ValueError(
                "shared_space compares claims with patches as they are: adapter linear"
            )
        if not self.reads and self.claims == "none":
            raise ValueError("a model reads something; reads is empty and claims are none")
        return self

    @property
    def modalities(self) -> tuple[str, ...]:
        """What is read of a patient."""
        return self.reads

    def reads_of(self, there: Mapping[str, bool]) -> KemmConfig:
        """The same, reading only what a cohort has.

        Raises:
            UsageError: If it has nothing of what is read.
        """
        left = tuple(name for name in self.reads if there.get(name, False))
        if self.reads and not left:
            raise UsageError(
                f"the model reads {', '.join(self.reads)}; the cohort has none of them",
                hint="choose another variant, or add a table to the cohort",
            )
        skip = tuple(name for name in self.skip if name in left)
        return self.evolve(reads=left, skip=skip)
