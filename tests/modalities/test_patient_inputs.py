"""Patients of whom a model can know nothing are counted."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from sequela.modalities.patient_inputs import PatientInputs


class _Bags:
    width = 3

    def bag(self, patient_id: str, /) -> Float[Tensor, "patch feature"]:
        return torch.ones((int(patient_id == "c"), 3))


def test_who_has_no_gene_no_covariate_and_no_patch_has_nothing() -> None:
    tables = {
        "gene_mask": torch.tensor([[True, False], [False, False], [False, False], [False, False]]),
        "clinical_mask": torch.tensor([[False], [True], [False], [False]]),
        "claim_mask": torch.ones((4, 2), dtype=torch.bool),
    }
    assert PatientInputs("abcd", tables).empty == 2
    assert PatientInputs("abcd", tables, _Bags()).empty == 1
