"""The one batch type: inputs of some patients, padded and masked, with no label in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from dataclasses import fields as fields_of

import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from sequela.errors import UsageError

CLAIM_MODALITIES = ("slide", "genes")
"""What a claim of background knowledge can speak of."""

_FIELDS = {
    "slide": ("patches", "patch_mask"),
    "genes": ("genes", "gene_mask"),
    "report": ("fields", "field_mask"),
}


@dataclass(frozen=True)
class Batch:
    """Inputs of some patients, each seen from one landmark.

    A modality that the cohort lacks is None; a value that a patient lacks is masked. Exams
    are in order of time, oldest first; a patient's last valid exam is the one at the landmark.
    In a single-time cohort nobody has an exam, so `day` and `exam_mask` have no column.

    Attributes:
        day: Days from each exam to the landmark, at most 0.
        exam_mask: True where the patient has the exam.
        views: Prepared images, one channel: bytes, or floats in 0..1.
        view_kind: Which view each slot holds, an index into `modalities.mammogram.VIEW_KINDS`.
        view_mask: True where the slot holds an image.
        tokens: Token ids of the text of each exam.
        token_mask: True where there is a token.
        text_mask: True where the exam has a text.
        words: Token ids before some were hidden, for a language model to guess.
        word_mask: True where there is one to guess.
        clinical: Clinical covariates, scaled on training patients.
        clinical_mask: True where the covariate is known.
        patches: Features of the patches of all slides of a patient.
        patch_mask: True where there is a patch.
        genes: Expression, scaled on training patients.
        gene_mask: True where the gene was measured.
        mutation: Which genes are mutated, 0 or 1.
        mutation_mask: True where the gene was looked at.
        copy_number: Copies lost or gained of each gene.
        copy_number_mask: True where the gene was looked at.
        fields: Vectors of the fields of the pathology report, in the order of the schema.
        field_mask: True where the report says the field.
        report_numbers: The same fields as numbers, scaled on training patients, less those of a
            report that says nothing; 0 for who has none.
        claims: Vectors of what is known of the patient's cancer.
        claim_modality: What each claim speaks of, an index into `CLAIM_MODALITIES`.
        claim_direction: 1 where the claim marks a higher risk, -1 a lower one.
        claim_mask: True where there is a claim.
    """

    day: Float[Tensor, "patient exam"]
    exam_mask: Bool[Tensor, "patient exam"]
    views: (
        UInt8[Tensor, "patient exam view height width"]
        | Float[Tensor, "patient exam view height width"]
        | None
    ) = None
    view_kind: Int[Tensor, "patient exam view"] | None = None
    view_mask: Bool[Tensor, "patient exam view"] | None = None
    tokens: Int[Tensor, "patient exam token"] | None = None
    token_mask: Bool[Tensor, "patient exam token"] | None = None
    text_mask: Bool[Tensor, "patient exam"] | None = None
    words: Int[Tensor, "patient exam token"] | None = None
    word_mask: Bool[Tensor, "patient exam token"] | None = None
    clinical: Float[Tensor, "patient covariate"] | None = None
    clinical_mask: Bool[Tensor, "patient covariate"] | None = None
    patches: Float[Tensor, "patient patch feature"] | None = None
    patch_mask: Bool[Tensor, "patient patch"] | None = None
    genes: Float[Tensor, "patient gene"] | None = None
    gene_mask: Bool[Tensor, "patient gene"] | None = None
    mutation: Float[Tensor, "patient mutated_gene"] | None = None
    mutation_mask: Bool[Tensor, "patient mutated_gene"] | None = None
    copy_number: Float[Tensor, "patient copied_gene"] | None = None
    copy_number_mask: Bool[Tensor, "patient copied_gene"] | None = None
    fields: Float[Tensor, "patient field dim"] | None = None
    field_mask: Bool[Tensor, "patient field"] | None = None
    report_numbers: Float[Tensor, "patient number"] | None = None
    claims: Float[Tensor, "patient claim dim"] | None = None
    claim_modality: Int[Tensor, "patient claim"] | None = None
    claim_direction: Float[Tensor, "patient claim"] | None = None
    claim_mask: Bool[Tensor, "patient claim"] | None = None

    def __len__(self) -> int:
        return len(self.day)

    def measured(
        self, modality: str
    ) -> tuple[Float[Tensor, "patient value *dim"], Bool[Tensor, "patient value"]]:
        """A modality's values, and which of them each patient has.

        Args:
            modality: `slide`, `genes`, `mutation`, `copy_number`, `report` or `clinical`.

        Raises:
            UsageError: If the batch has none of it.
        """
        values, mask = (
            getattr(self, name) for name in _FIELDS.get(modality, (modality, f"{modality}_mask"))
        )
        if values is None or mask is None:
            raise UsageError(
                f"the model reads {modality}, and the batch has none",
                hint="build the batch from inputs that hold what the model reads",
            )
        return values, mask

    def without(self, *modalities: str) -> Batch:
        """The same with these modalities masked, as if no patient had them.

        Args:
            modalities: As `measured` names them.
        """
        hidden = {}
        for name in modalities:
            mask = _FIELDS.get(name, (name, f"{name}_mask"))[1]
            hidden[mask] = torch.zeros_like(self.measured(name)[1])
        return replace(self, **hidden)

    def rows(self, start: int, stop: int) -> Batch:
        """Some of the patients, one after another."""
        taken = {
            field.name: value[start:stop]
            for field in fields_of(self)
            if (value := getattr(self, field.name)) is not None
        }
        return Batch(**taken)

    def to(self, device: torch.device) -> Batch:
        """The same batch on another device."""
        moved = {
            field.name: value.to(device, non_blocking=True)
            for field in fields_of(self)
            if (value := getattr(self, field.name)) is not None
        }
        return Batch(**moved)


Sample = Batch
"""One patient's tensors: a batch of one, so that padding and masks have one definition."""


def collate(samples: Sequence[Sample]) -> Batch:
    """Pad every axis but the first to the longest, then stack; padding is masked (False, 0)."""
    columns = {}
    for field in fields_of(Batch):
        values = [getattr(sample, field.name) for sample in samples]
        if values[0] is not None:
            columns[field.name] = _pad(values)
    return Batch(**columns)


def _pad(values: Sequence[Tensor]) -> Tensor:
    if len({value.shape[1:] for value in values}) == 1:
        return torch.cat(list(values)) if len(values) > 1 else values[0]
    shape = [max(sizes) for sizes in zip(*(value.shape[1:] for value in values), strict=True)]
    padded = values[0].new_zeros((sum(len(value) for value in values), *shape))
    row = 0
    for value in values:
        corner = (slice(row, row + len(value)), *(slice(size) for size in value.shape[1:]))
        padded[corner] = value
        row += len(value)
    return padded
