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
from sequela.modalities.feature_file import (
    SlideFeatures,
    in_place,
    read_features,
    read_header,
)
from sequela.storage import fingerprint

INDEX = "slides.parquet"
"""In the folder of prepared slides: a row a slide, with the reason where it has no features."""


def feature_file(folder: Path, slide_id: str) -> Path:
    """The file of a slide's features in the folder of prepared slides.

    It bears the id that the slides table gives, which is a pseudonym as all ids of a cohort are;
    never the name of the slide's own file.
    """
    return folder / f"{slide_id}.safetensors"


def picture_file(folder: Path, slide_id: str) -> Path:
    """The picture of what was cut of the slide, for eyes."""
    return folder / f"{slide_id}.png"


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
class SlideBags:
    """The patches of each patient, read from disk as they are needed.

    Attributes:
        files: Feature files of each patient's slides, in order of the slide id.
        policy: What becomes of several slides a patient.
        made: What made the features (encoder and its hash, width), and a hash of the index.
        names: The slide id of each of the files.
    """

    files: Mapping[str, tuple[Path, ...]]
    policy: SlidePolicy = "concatenate"
    made: Mapping[str, Any] = field(default_factory=dict)
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

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
        kept = {
            patient: tuple(slide for slide in theirs if slide.slide_id in whole)
            for patient, theirs in slides.items()
        }
        if not any(kept.values()):
            return None
        files = {name: tuple(_file(one, folder) for one in some) for name, some in kept.items()}
        names = {name: tuple(one.slide_id for one in some) for name, some in kept.items()}
        return cls(files, policy, _made(index), names)

    @cached_property
    def width(self) -> int:
        """Numbers a patch."""
        return read_header(next(file for files in self.files.values() for file in files))[1]

    def bag(self, patient_id: str, /) -> Float[Tensor, "patch feature"]:
        """The patches of one patient, none where there is no slide.

        Raises:
            DataError: If a file is damaged, or of another encoder than the others.
        """
        slides = [torch.from_numpy(slide.features) for slide in self.slides(patient_id).values()]
        return torch.cat(slides) if slides else torch.zeros((0, self.width))

    def slides(self, patient_id: str) -> dict[str, SlideFeatures]:
        """The slides whose patches the bag holds, by slide id, in its order.

        Raises:
            DataError: If a file is damaged, or of another encoder than the others.
        """
        files = self.files.get(patient_id, ())
        names = self.names.get(patient_id) or tuple(str(rank) for rank in range(len(files)))
        first = self.policy == "first"
        named = dict(list(zip(names, files, strict=True))[: 1 if first else None])
        slides = {name: self._slide(path) for name, path in named.items()}
        if self.policy != "largest" or not slides:
            return slides
        name = max(slides, key=lambda one: len(slides[one].features))
        return {name: slides[name]}

    def _slide(self, path: Path) -> SlideFeatures:
        try:
            slide = read_features(path)
        except DataError as error:
            raise DataError(f"a feature file {error.message}", hint="`sequela prepare`") from error
        if slide.features.shape[1] != self.width:
            raise DataError(
                f"a feature file has {slide.features.shape[1]} numbers a patch, the others "
                f"{self.width}",
                hint="make all features with one encoder; `sequela prepare` says which differ",
            )
        return slide


def _made(index: pl.DataFrame) -> dict[str, Any]:
    told = index.sort("slide_id")
    first = {
        name: next(iter(told[name].drop_nulls()), None)
        for name in ("encoder", "encoder_hash", "width")
    }
    return {**first, "index": fingerprint(told.write_csv())}


def _file(slide: Slide, folder: Path) -> Path:
    given = in_place(slide.features) if slide.features else None
    return given or feature_file(folder, slide.slide_id)


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
