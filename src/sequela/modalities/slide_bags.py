"""Patch features of a cohort's patients: several slides a patient by a stated policy."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
import polars as pl
import torch
from jaxtyping import Float
from torch import Tensor

from sequela.cohort.patient import Patient, Slide
from sequela.errors import DataError
from sequela.modalities.feature_file import in_place, read_features, read_header
from sequela.storage import fingerprint

INDEX = "slides.parquet"
"""In the folder of prepared slides: a row a slide, with the reason where it has no features."""

SlidePolicy = Literal["concatenate", "largest", "first"]
"""Of several slides a patient: all their patches, those of the slide with most, of the first id."""


@runtime_checkable
class BagSource(Protocol):
    """Patch features of all slides of a patient."""

    @property
    def width(self) -> int:
        """Numbers a patch."""
        ...

    def bag(self, patient_id: str, /) -> Float[Tensor, "patch feature"]:
        """The patches of one patient, none where there is no slide."""
        ...


@dataclass(frozen=True)
class NoBags:
    """Bags of patients who have no slide."""

    width: int

    def bag(self, patient_id: str, /) -> Float[Tensor, "patch feature"]:
        """No patch."""
        return torch.zeros((0, self.width))


@dataclass(frozen=True)
class SlideBags:
    """The patches of each patient, read from disk as they are needed.

    Attributes:
        files: Feature files of each patient's slides, in order of the slide id.
        policy: What becomes of several slides a patient.
        made: What made the features (encoder and its hash, width), and a hash of the index.
    """

    files: Mapping[str, tuple[Path, ...]]
    policy: SlidePolicy = "concatenate"
    made: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(
        cls, patients: Iterable[Patient], folder: Path, policy: SlidePolicy = "concatenate"
    ) -> SlideBags | None:
        """What `prepare_slides` left in a folder; None where no slide of these has features.

        Raises:
            DataError: If there are slides, and nothing was prepared.
        """
        slides = {
            patient.patient_id: sorted(
                (slide for slide in patient.slides if slide.path or slide.features),
                key=lambda slide: slide.slide_id,
            )
            for patient in patients
        }
        if not any(slides.values()):
            return None
        if not (folder / INDEX).is_file():
            raise DataError("the slides are not prepared", hint="run `sequela prepare`")
        index = pl.read_parquet(folder / INDEX).filter(pl.col("failed") == "")
        whole = set(index["slide_id"])
        files = {
            patient: tuple(_file(slide, folder) for slide in theirs if slide.slide_id in whole)
            for patient, theirs in slides.items()
        }
        return cls(files, policy, _made(index)) if any(files.values()) else None

    @cached_property
    def width(self) -> int:
        """Numbers a patch."""
        return read_header(next(file for files in self.files.values() for file in files))[1]

    def bag(self, patient_id: str, /) -> Float[Tensor, "patch feature"]:
        """The patches of one patient, none where there is no slide.

        Raises:
            DataError: If a file is damaged, or of another encoder than the others.
        """
        slides = [self._slide(path) for path in self.files.get(patient_id, ())]
        if not slides:
            return torch.zeros((0, self.width))
        match self.policy:
            case "concatenate":
                return torch.cat(slides)
            case "largest":
                return max(slides, key=len)
            case "first":
                return slides[0]

    def _slide(self, path: Path) -> Float[Tensor, "patch feature"]:
        try:
            features = read_features(path).features
        except DataError as error:
            raise DataError(f"a feature file {error.message}", hint="`sequela prepare`") from error
        if features.shape[1] != self.width:
            raise DataError(
                f"a feature file has {features.shape[1]} numbers a patch, the others {self.width}",
                hint="make all features with one encoder; `sequela prepare` says which differ",
            )
        return torch.from_numpy(features)


def _made(index: pl.DataFrame) -> dict[str, Any]:
    told = index.sort("slide_id")
    first = {
        name: next(iter(told[name].drop_nulls()), None)
        for name in ("encoder", "encoder_hash", "width")
    }
    return {**first, "index": fingerprint(told.write_csv())}


def _file(slide: Slide, folder: Path) -> Path:
    given = in_place(slide.features) if slide.features else None
    return given or folder / f"{slide.slide_id}.safetensors"


@dataclass(frozen=True)
class SampledBags:
    """Bags as training sees them: a larger one is cut down, drawn anew each epoch.

    Attributes:
        bags: Where the patches are.
        most: Of a patient.
        seed: With the epoch and the patient, the key of a draw.
        epoch: Which epoch the bags are for.
    """

    bags: BagSource
    most: int
    seed: int = 0
    epoch: int = 0

    @property
    def width(self) -> int:
        """Numbers a patch."""
        return self.bags.width

    def bag(self, patient_id: str, /) -> Float[Tensor, "patch feature"]:
        """Some of the patches, in their order; the same whoever else is in the batch."""
        bag = self.bags.bag(patient_id)
        if len(bag) <= self.most:
            return bag
        patient = int.from_bytes(hashlib.sha256(patient_id.encode()).digest()[:8], "big")
        generator = np.random.default_rng(np.random.SeedSequence((self.seed, self.epoch, patient)))
        chosen = generator.choice(len(bag), size=self.most, replace=False)
        return bag[torch.from_numpy(np.sort(chosen))]
