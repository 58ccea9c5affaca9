"""Samples of patients who are seen once: rows of tables, and bags of patches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from sequela.modalities.batch import Batch, Sample, collate
from sequela.modalities.slide_bags import BagSource, SampledBags


@dataclass(frozen=True)
class PatientInputs:
    """Samples of some cases without exams; reading one has no side effect.

    Attributes:
        patients: Whose sample each is.
        tables: Fields of `Batch` by name, a row a patient.
        bags: Where the patches are; None leaves slides out.
    """

    patients: Sequence[str]
    tables: Mapping[str, Tensor] = field(default_factory=dict)
    bags: BagSource | None = None

    def __len__(self) -> int:
        return len(self.patients)

    def at(self, epoch: int) -> PatientInputs:
        """The same inputs as another epoch sees them."""
        if not isinstance(self.bags, SampledBags):
            return self
        return replace(self, bags=replace(self.bags, epoch=epoch))

    def sampled(self, most: int | None, seed: int) -> PatientInputs:
        """The same with at most so many patches of a patient, drawn anew each epoch."""
        if most is None or self.bags is None:
            return self
        return replace(self, bags=SampledBags(self.bags, most, seed))

    @property
    def empty(self) -> int:
        """How many patients have nothing of what is read; claims are of a cancer, not of them."""
        there = np.zeros(len(self), dtype=bool)
        for name, values in self.tables.items():
            if name.endswith("_mask") and name != "claim_mask":
                there |= values.flatten(1).any(dim=1).numpy()
        left = np.flatnonzero(~there).tolist()
        if self.bags is None:
            return len(left)
        return sum(not len(self.bags.bag(self.patients[row])) for row in left)

    def __getitem__(self, index: int, /) -> Sample:
        return self.batch(np.array([index]))

    def batch(self, rows: Int[np.ndarray, " _"]) -> Batch:
        """The samples of some rows, bags padded to the largest."""
        chosen = torch.from_numpy(rows)
        taken = {name: values[chosen] for name, values in self.tables.items()}
        count = len(rows)
        absent = Batch(
            day=torch.zeros((count, 0)),
            exam_mask=torch.zeros((count, 0), dtype=torch.bool),
            **taken,
        )
        if self.bags is None:
            return absent
        bags = collate([self._bag(self.bags, self.patients[row]) for row in rows])
        return Batch(
            **{**vars(absent), "patches": bags.patches, "patch_mask": bags.patch_mask},
        )

    def _bag(self, bags: BagSource, patient: str) -> Sample:
        patches = bags.bag(patient)[None]
        return Sample(
            day=torch.zeros((1, 0)),
            exam_mask=torch.zeros((1, 0), dtype=torch.bool),
            patches=patches,
            patch_mask=torch.ones(patches.shape[:2], dtype=torch.bool),
        )
