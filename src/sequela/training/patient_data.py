"""From a cohort seen once to the samples of its patients; fitted on training patients alone."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sequela.cohort.cohort import Cohort
from sequela.cohort.gene_tables import GENE_TABLES, GeneTableName
from sequela.encoders.frozen_text import HASHED
from sequela.encoders.pathway import Membership
from sequela.errors import UsageError
from sequela.knowledge.schema import StructuredReport
from sequela.modalities.clinical import ClinicalScaler, rows_of
from sequela.modalities.expression import GeneScaler, GeneSettings
from sequela.modalities.patient_inputs import PatientInputs
from sequela.modalities.report_numbers import ReportScaler
from sequela.modalities.slide_bags import BagSource, SlideBags
from sequela.models.data_shape import DataShape
from sequela.models.kemm_config import KemmConfig
from sequela.models.peer_config import PatientConfig
from sequela.models.removal import removable
from sequela.training.knowledge_tables import (
    Knowledge,
    claim_tables,
    field_tables,
    report_number_table,
)

BATCH_FIELD: Mapping[GeneTableName, tuple[str, str]] = {
    "expression": ("genes", "gene_mask"),
    "mutation": ("mutation", "mutation_mask"),
    "copy_number": ("copy_number", "copy_number_mask"),
}
"""The fields of the batch that a gene table fills."""

_ALL = "all"


@dataclass(frozen=True)
class PatientScalers:
    """What turns a cohort's tables into numbers, fitted on a fold's training patients.

    Attributes:
        clinical: Of the covariates; None where the manifest declares none.
        genes: Of each gene table that is read.
        sets: Gene sets that group the genes; one of all genes where the cohort has none.
        encoder: What turns fields and claims into vectors.
        reports: What turns report fields into numbers; None where there are no reports.
    """

    clinical: ClinicalScaler | None
    genes: Mapping[GeneTableName, GeneScaler]
    sets: Mapping[str, tuple[str, ...]]
    encoder: str = HASHED
    reports: ReportScaler | None = None

    @classmethod
    def fit(
        cls,
        cohort: Cohort,
        patients: Sequence[str],
        settings: GeneSettings | None = None,
        encoder: str = HASHED,
        reports: Mapping[str, StructuredReport] | None = None,
    ) -> PatientScalers:
        """Fitted on these patients, the training patients of a fold.

        Args:
            cohort: Their tables.
            patients: Training patients.
            settings: How gene tables become numbers.
            encoder: What turns fields and claims into vectors.
            reports: Structured reports by patient.
        """
        declared = cohort.manifest.clinical
        clinical = None
        if declared:
            clinical = ClinicalScaler.fit(rows_of(cohort.covariates, patients), declared)
        of_use = {gene for genes in cohort.gene_sets.values() for gene in genes} or None
        genes = {
            name: GeneScaler.fit(cohort.genes[name], patients, settings, of_use)
            for name in GENE_TABLES
            if name in cohort.genes
        }
        of_reports = ReportScaler.fit([reports.get(one) for one in patients]) if reports else None
        return cls(clinical, genes, dict(cohort.gene_sets), encoder, of_reports)

    def shape(self, patch: int = 0, fields: int = 0, text: int = 0) -> DataShape:
        """What a network is told of these data."""
        members: dict[str, Membership] = {}
        for name, scaler in self.genes.items():
            sets = self.sets or {_ALL: scaler.genes}
            members[BATCH_FIELD[name][0]] = Membership.of(sets, scaler.genes)
        counts = {BATCH_FIELD[name][0]: len(scaler.genes) for name, scaler in self.genes.items()}
        return DataShape(
            patch=patch,
            genes=counts,
            members={name: one.genes for name, one in members.items()},
            sets={name: one.sets for name, one in members.items()},
            fields=fields,
            report_numbers=len(self.reports.features) if self.reports else 0,
            text=text,
            covariates=len(self.clinical.features) if self.clinical else 0,
        )

    def tables(self, cohort: Cohort, patients: Sequence[str]) -> dict[str, Tensor]:
        """Clinical covariates and genes of these patients, by field of the batch."""
        found: dict[str, Tensor] = {}
        if self.clinical is not None:
            values, known = self.clinical.transform(rows_of(cohort.covariates, patients))
            found["clinical"] = torch.from_numpy(values.astype(np.float32))
            found["clinical_mask"] = torch.from_numpy(known)
        for name, scaler in self.genes.items():
            if name in cohort.genes:
                numbers = scaler.transform(cohort.genes[name], patients)
                for batch_field, values in zip(BATCH_FIELD[name], numbers, strict=True):
                    found[batch_field] = torch.from_numpy(values)
        return found

    def state(self) -> dict[str, Any]:
        """What `from_state` needs, as JSON holds it."""
        return {
            "clinical": self.clinical.state() if self.clinical else None,
            "genes": {name: scaler.state() for name, scaler in self.genes.items()},
            "sets": {name: list(genes) for name, genes in self.sets.items()},
            "encoder": self.encoder,
            "reports": self.reports.state() if self.reports else None,
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> PatientScalers:
        """The scalers whose `state()` this is."""
        clinical, reports = state["clinical"], state.get("reports")
        return cls(
            ClinicalScaler.from_state(clinical) if clinical else None,
            {name: GeneScaler.from_state(one) for name, one in state["genes"].items()},
            {name: tuple(genes) for name, genes in state["sets"].items()},
            state["encoder"],
            ReportScaler.from_state(reports) if reports else None,
        )


@dataclass(frozen=True)
class PatientSources:
    """Where what a model reads of a cohort is.

    Attributes:
        cohort: The tables.
        scalers: Fitted on training patients.
        knowledge: Structured reports and claims; None where there is neither.
        bags: Patch features; None where there are none.
    """

    cohort: Cohort
    scalers: PatientScalers
    knowledge: Knowledge | None = None
    bags: BagSource | None = field(default=None)

    @property
    def slides(self) -> Mapping[str, Any] | None:
        """What made the patch features, for a checkpoint to keep."""
        return self.bags.made if isinstance(self.bags, SlideBags) else None

    @property
    def there(self) -> dict[str, bool]:
        """Which modalities the cohort has."""
        knowledge = self.knowledge
        return {
            "slide": self.bags is not None,
            "report": knowledge is not None and bool(knowledge.reports),
            "clinical": self.scalers.clinical is not None,
            **{BATCH_FIELD[name][0]: name in self.scalers.genes for name in GENE_TABLES},
        }

    def resolved(self, config: PatientConfig) -> PatientConfig:
        """The configuration, reading what there is, with the shape of the data."""
        width, fields = (0, 0) if self.knowledge is None else self.knowledge.shape
        patch = 0 if self.bags is None else self.bags.width
        claims = config.claims if self.knowledge and self.knowledge.claims else "none"
        told = config.reads_of(self.there)
        told = told.evolve(claims=claims) if isinstance(told, KemmConfig) else told
        return told.evolve(shape=self.scalers.shape(patch, fields, width))

    def inputs(
        self, patients: Sequence[str], config: PatientConfig, without: str | None = None
    ) -> PatientInputs:
        """The samples of these patients, with what `config` reads and no more.

        What the cohort has nothing of is there with nobody having it, as a model expects that was
        trained where it was.

        Args:
            patients: Whose.
            config: What is read, as it was resolved.
            without: A modality that is read and that nobody has all the same.

        Raises:
            UsageError: If the model does not read it, or nothing else.
        """
        inputs = self._inputs(patients, config)
        if without is None:
            return inputs
        if without not in removable(config):
            names = ", ".join(removable(config))
            raise UsageError(
                f"this model has no part {without} to take away",
                hint=f"it has {names}" if names else "it reads one modality alone",
            )
        hidden = _absent(config, len(patients), {without})
        bags = _NoBags(inputs.bags.width) if without == "slide" and inputs.bags else inputs.bags
        return PatientInputs(patients, {**inputs.tables, **hidden}, bags)

    def _inputs(self, patients: Sequence[str], config: PatientConfig) -> PatientInputs:
        tables = self.scalers.tables(self.cohort, patients)
        read = set(config.reads)
        kept = {
            name: values
            for name, values in tables.items()
            if name.removesuffix("_mask") in read or (name == "gene_mask" and "genes" in read)
        }
        if self.knowledge is not None and "report" in read:
            kept |= field_tables(self.knowledge, patients, config)
            if self.scalers.reports is not None:
                scaler, told = self.scalers.reports, self.knowledge.reports
                kept |= report_number_table(told, scaler, patients, config)
        if self.knowledge is not None and config.claims != "none":
            cancers = [self.cohort.patient(patient).cancer_type for patient in patients]
            kept |= claim_tables(self.knowledge, cancers, config)
        kept = {**_absent(config, len(patients), read), **kept}
        if "slide" not in read:
            return PatientInputs(patients, kept)
        return PatientInputs(patients, kept, self.bags or _NoBags(config.known_shape().patch))


@dataclass(frozen=True)
class _NoBags:
    """No patch of anyone, of the width that a model expects."""

    width: int

    def bag(self, _: str, /) -> Float[Tensor, "patch feature"]:
        return torch.zeros((0, self.width))


def _absent(config: PatientConfig, count: int, names: Collection[str]) -> dict[str, Tensor]:
    """What a model reads but slides, as if nobody had it."""
    if config.shape is None:
        return {}
    shape, found = config.shape, {}
    widths: dict[str, tuple[str, str, tuple[int, ...]]] = {
        **{
            fields[0]: (*fields, (shape.genes.get(fields[0], 0),))
            for fields in BATCH_FIELD.values()
        },
        "report": ("fields", "field_mask", (shape.fields, shape.text)),
        "clinical": ("clinical", "clinical_mask", (shape.covariates,)),
    }
    for name in set(names) & set(widths):
        values, mask, width = widths[name]
        found[values] = torch.zeros((count, *width))
        found[mask] = torch.zeros((count, width[0]), dtype=torch.bool)
    if "report" in names:
        found["report_numbers"] = torch.zeros((count, shape.report_numbers))
    return found
