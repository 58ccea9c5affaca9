"""Structured reports and claims as vectors: fields and claims of the batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sequela.encoders.frozen_text import encode_sentences
from sequela.knowledge.background import Claim
from sequela.knowledge.schema import FIELDS, StructuredReport
from sequela.modalities.batch import CLAIM_MODALITIES
from sequela.modalities.report_numbers import ReportScaler
from sequela.models.peer_config import PatientConfig

_SHUFFLED = 7  # seed of the control that gives every patient another's report


@dataclass(frozen=True)
class Knowledge:
    """Reports and claims, and the encoder that reads them.

    Attributes:
        reports: Structured reports by patient.
        claims: Claims by cancer type.
        encoder: Of their sentences.
        fingerprint: Of the frozen file.
    """

    reports: Mapping[str, StructuredReport]
    claims: Mapping[str, tuple[Claim, ...]]
    encoder: str
    fingerprint: str

    @property
    def shape(self) -> tuple[int, int]:
        """Width of a vector, and how many fields a report has."""
        return next(iter(self.vectors.values())).shape[0], len(FIELDS)

    @cached_property
    def vectors(self) -> dict[str, Tensor]:
        """The vector of every different sentence."""
        findings = (
            finding.sentence for report in self.reports.values() for finding in report.known
        )
        claims = (claim.text for claims in self.claims.values() for claim in claims)
        # The empty sentence gives the width where nothing else is known.
        sentences = sorted({"", *findings, *claims})
        return dict(zip(sentences, encode_sentences(sentences, self.encoder), strict=True))


def field_tables(
    knowledge: Knowledge, patients: Sequence[str], config: PatientConfig
) -> dict[str, Tensor]:
    """`fields` and `field_mask` of these patients; a field that a report does not say is masked."""
    owners = _owners(patients, config)
    width, count = knowledge.shape
    fields = torch.zeros((len(owners), count, width))
    mask = torch.zeros((len(owners), count), dtype=torch.bool)
    place = {name: column for column, name in enumerate(FIELDS)}
    wanted = set(config.fields or FIELDS)
    for row, owner in enumerate(owners):
        report = knowledge.reports.get(owner)
        for finding in report.known if report else ():
            if finding.field in wanted:
                fields[row, place[finding.field]] = knowledge.vectors[finding.sentence]
                mask[row, place[finding.field]] = True
    return {"fields": fields, "field_mask": mask}


def report_number_table(
    reports: Mapping[str, StructuredReport],
    scaler: ReportScaler,
    patients: Sequence[str],
    config: PatientConfig,
) -> dict[str, Tensor]:
    """`report_numbers` of these patients; numbers of a field that is not read are all alike."""
    numbers = report_numbers(scaler, [reports.get(one) for one in _owners(patients, config)])
    if config.fields:
        numbers = numbers * torch.tensor([one.field in config.fields for one in scaler.numbers])
    return {"report_numbers": numbers}


def report_numbers(
    scaler: ReportScaler, reports: Sequence[StructuredReport | None]
) -> Float[Tensor, "patient number"]:
    """The numbers of these reports, less those of a report that says nothing."""
    numbers = scaler.transform(reports) - scaler.transform([None])
    return torch.from_numpy(numbers.astype(np.float32))


def _owners(patients: Sequence[str], config: PatientConfig) -> list[str]:
    """Whose report each patient has: the own one but in the control."""
    if config.reports != "shuffled":
        return list(patients)
    order = np.random.default_rng((_SHUFFLED, len(patients))).permutation(len(patients))
    return [patients[place] for place in order]


def claim_tables(
    knowledge: Knowledge, cancers: Sequence[str], config: PatientConfig
) -> dict[str, Tensor]:
    """The claims about each patient's cancer, or about another one in that control."""
    of = [claims_of(knowledge.claims, cancer, config) for cancer in cancers]
    count, width = max(map(len, of), default=0), knowledge.shape[0]
    claims = torch.zeros((len(of), count, width))
    modality = torch.zeros((len(of), count), dtype=torch.int64)
    direction = torch.zeros((len(of), count))
    mask = torch.zeros((len(of), count), dtype=torch.bool)
    for row, known in enumerate(of):
        for column, claim in enumerate(known):
            claims[row, column] = knowledge.vectors[claim.text]
            modality[row, column] = CLAIM_MODALITIES.index(claim.modality)
            direction[row, column] = 1.0 if claim.direction == "higher" else -1.0
            mask[row, column] = True
    return {
        "claims": claims,
        "claim_modality": modality,
        "claim_direction": direction,
        "claim_mask": mask,
    }


def claims_of(
    claims: Mapping[str, tuple[Claim, ...]], cancer: str, config: PatientConfig
) -> tuple[Claim, ...]:
    """The claims that a model is given about a cancer, in the order of the batch."""
    if config.claims != "wrong-cancer":
        return claims.get(cancer, ())
    others = sorted(set(claims) - {cancer})
    after = [name for name in others if name > cancer]
    return claims[(after or others)[0]] if others else ()
