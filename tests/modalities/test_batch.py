"""Laws of the one batch: padding is masked, and no patient changes by company."""

from __future__ import annotations

from dataclasses import fields

import torch
from torch import Tensor

from sequela.modalities.batch import Batch, Sample, collate


def _bag(patches: int, *, genes: bool = True) -> Sample:
    generator = torch.Generator().manual_seed(patches)
    return Sample(
        day=torch.zeros((1, 0)),
        exam_mask=torch.zeros((1, 0), dtype=torch.bool),
        patches=torch.randn((1, patches, 4), generator=generator),
        patch_mask=torch.ones((1, patches), dtype=torch.bool),
        genes=torch.randn((1, 3), generator=generator),
        gene_mask=torch.full((1, 3), genes),
    )


def test_patients_without_exams_are_as_many_as_they_are() -> None:
    batch = collate([_bag(2), _bag(5), _bag(0)])
    assert len(batch) == 3
    assert batch.day.shape == (3, 0)


def test_padding_is_masked_and_what_was_there_is_unchanged() -> None:
    samples = [_bag(2), _bag(5, genes=False), _bag(0)]
    batch = collate(samples)
    assert isinstance(batch.patches, Tensor)
    assert isinstance(batch.patch_mask, Tensor)
    assert batch.patch_mask.sum(dim=1).tolist() == [2, 5, 0]
    for row, sample in enumerate(samples):
        assert isinstance(sample.patches, Tensor)
        alone = batch.patches[row][batch.patch_mask[row]]
        torch.testing.assert_close(alone, sample.patches[0])
    assert (batch.patches[~batch.patch_mask] == 0).all()
    assert isinstance(batch.gene_mask, Tensor)
    assert batch.gene_mask.any(dim=1).tolist() == [True, False, True]


def test_what_the_cohort_lacks_stays_none_and_goes_to_no_device() -> None:
    batch = collate([_bag(1), _bag(2)]).to(torch.device("cpu"))
    present = {field.name for field in fields(Batch) if getattr(batch, field.name) is not None}
    assert present == {"day", "exam_mask", "patches", "patch_mask", "genes", "gene_mask"}


def test_a_modality_that_is_left_out_is_masked_and_the_rest_is_as_it_was() -> None:
    there = torch.ones(2, 3, dtype=torch.bool)
    genes = torch.randn(2, 3)
    batch = Batch(
        day=torch.zeros(2, 0),
        exam_mask=torch.zeros(2, 0, dtype=torch.bool),
        genes=genes,
        gene_mask=there,
        clinical=genes,
        clinical_mask=there,
    )
    less = batch.without("genes")
    assert not less.measured("genes")[1].any()
    assert less.measured("clinical")[1].all()
    assert batch.measured("genes")[1].all()
    assert batch.without().genes is genes
