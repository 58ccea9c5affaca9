"""Cases and exams to samples: what a model may see of them, as tensors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from sequela.cohort.patient import Case, Exam
from sequela.modalities.augmentation import Augmentation, augmented
from sequela.modalities.batch import Sample
from sequela.modalities.mammogram import VIEW_KINDS
from sequela.modalities.text import TextSettings, encode_texts, joined

VIEW_KIND = {view: kind for kind, view in enumerate(VIEW_KINDS)}


@runtime_checkable
class ImageSource(Protocol):
    """Prepared images by id, as `ImageStore` gives them."""

    def __contains__(self, image_id: object, /) -> bool: ...

    def pixels(self, image_id: str, /) -> UInt8[np.ndarray, "height width"]:
        """One prepared image."""
        ...


@dataclass(frozen=True)
class TokenisedTexts:
    """The token ids of every different text that some exams hold.

    Attributes:
        ids: Text to token ids.
        truncated: Share of the different texts that were too long.
    """

    ids: Mapping[str, Int[np.ndarray, " _"]]
    truncated: float

    @classmethod
    def of(cls, cases: Iterable[Case], tokenizer: Any, settings: TextSettings) -> TokenisedTexts:
        """Encode every exam's text as its case may see it, each different one once."""
        texts = dict.fromkeys(joined(exam.texts) for case in cases for exam in case.exams)
        texts.pop("", None)
        encoded = encode_texts(list(texts), tokenizer, settings)
        return cls(dict(zip(texts, encoded.tokens, strict=True)), encoded.truncated)


@dataclass(frozen=True)
class CaseInputs:
    """Samples of some cases; reading one has no side effect.

    Attributes:
        cases: In the order of the samples.
        images: Where prepared images are; None leaves images out.
        texts: Encoded texts; None leaves texts out.
        clinical: Scaled covariates and which are known, a row a case; None leaves them out.
        augmentation: How images are moved; None for validation, test and serving.
        seed: With epoch and index, the key of an augmentation.
        epoch: Which epoch the samples are for.
    """

    cases: Sequence[Case]
    images: ImageSource | None = None
    texts: TokenisedTexts | None = None
    clinical: tuple[Float[np.ndarray, "case feature"], Bool[np.ndarray, "case feature"]] | None = (
        None
    )
    augmentation: Augmentation | None = None
    seed: int = 0
    epoch: int = 0

    def __len__(self) -> int:
        return len(self.cases)

    def at(self, epoch: int) -> CaseInputs:
        """The same inputs as another epoch sees them."""
        return replace(self, epoch=epoch)

    def __getitem__(self, index: int, /) -> Sample:
        case = self.cases[index]
        days = [exam.day - case.landmark for exam in case.exams]
        sample = Sample(
            day=torch.tensor([days], dtype=torch.float32),
            exam_mask=torch.ones((1, len(days)), dtype=torch.bool),
            **_clinical(self.clinical, index),
        )
        if self.images is not None:
            sample = replace(sample, **self._views(case.exams, self.images, index))
        if self.texts is not None:
            sample = replace(sample, **_tokens(case.exams, self.texts))
        return sample

    def _views(self, exams: Sequence[Exam], store: ImageSource, index: int) -> dict[str, Tensor]:
        views, kind, mask = read_views(exams, store)
        if self.augmentation is not None:
            key = np.random.SeedSequence((self.seed, self.epoch, index))
            generator = np.random.default_rng(key)
            views, kind = augmented(views, kind, self.augmentation, generator)
        return {"views": views[None], "view_kind": kind[None], "view_mask": mask[None]}


@dataclass(frozen=True)
class ExamInputs:
    """Samples of single exams that have both images and a text, for alignment.

    Attributes:
        cases: Whose exams; one that several cases share is taken once, as the last sees it.
        images: Where prepared images are.
        texts: Encoded texts.
        augmentation: How images are moved, or None.
        seed: With epoch and index, the key of an augmentation.
        epoch: Which epoch the samples are for.
    """

    cases: Sequence[Case]
    images: ImageSource
    texts: TokenisedTexts
    augmentation: Augmentation | None = None
    seed: int = 0
    epoch: int = 0

    @cached_property
    def pairs(self) -> tuple[Case, ...]:
        """One case of one exam for each exam that has an image and a text."""
        exams = {
            exam.exam_id: Case(case.patient_id, exam.day, (exam,))
            for case in sorted(self.cases, key=lambda case: case.landmark)
            for exam in case.exams
            if joined(exam.texts) and any(image.image_id in self.images for image in exam.images)
        }
        return tuple(exams[exam_id] for exam_id in sorted(exams))

    @property
    def patients(self) -> tuple[str, ...]:
        """Whose exam each sample is; a batch should hold at most one of a patient."""
        return tuple(pair.patient_id for pair in self.pairs)

    def __len__(self) -> int:
        return len(self.pairs)

    def at(self, epoch: int) -> ExamInputs:
        """The same inputs as another epoch sees them."""
        return replace(self, epoch=epoch)

    def __getitem__(self, index: int, /) -> Sample:
        return self._cases[index]

    @cached_property
    def _cases(self) -> CaseInputs:
        return CaseInputs(
            self.pairs, self.images, self.texts, None, self.augmentation, self.seed, self.epoch
        )


def read_views(
    exams: Sequence[Exam], store: ImageSource
) -> tuple[
    UInt8[Tensor, "exam view height width"], Int[Tensor, "exam view"], Bool[Tensor, "exam view"]
]:
    """The prepared images of some exams, what each shows, and which slots hold one."""
    found = [
        sorted(
            (VIEW_KIND[image.side, image.view], image.image_id)
            for image in exam.images
            if image.image_id in store
        )
        for exam in exams
    ]
    slots = max(map(len, found), default=0)
    mask = torch.zeros((len(exams), slots), dtype=torch.bool)
    kind = torch.zeros((len(exams), slots), dtype=torch.int64)
    if not slots:
        return torch.zeros((len(exams), 0, 0, 0), dtype=torch.uint8), kind, mask
    places = [(row, slot) for row, images in enumerate(found) for slot in range(len(images))]
    pixels = [torch.from_numpy(np.array(store.pixels(found[row][slot][1]))) for row, slot in places]
    views = torch.zeros((len(exams), slots, *pixels[0].shape), dtype=torch.uint8)
    for (row, slot), image in zip(places, pixels, strict=True):
        views[row, slot], kind[row, slot], mask[row, slot] = image, found[row][slot][0], True
    return views, kind, mask


def _tokens(exams: Sequence[Exam], texts: TokenisedTexts) -> dict[str, Tensor]:
    ids = [texts.ids.get(joined(exam.texts), np.zeros(0, dtype=np.int64)) for exam in exams]
    longest = max(map(len, ids), default=0)
    tokens = torch.zeros((1, len(exams), longest), dtype=torch.int64)
    lengths = torch.tensor([[len(text) for text in ids]], dtype=torch.int64)
    for row, text in enumerate(ids):
        tokens[0, row, : len(text)] = torch.from_numpy(text)
    return {
        "tokens": tokens,
        "token_mask": torch.arange(longest) < lengths[:, :, None],
        "text_mask": lengths > 0,
    }


def _clinical(
    clinical: tuple[Float[np.ndarray, "case feature"], Bool[np.ndarray, "case feature"]] | None,
    index: int,
) -> dict[str, Tensor]:
    if clinical is None:
        return {}
    values, known = clinical
    return {
        "clinical": torch.from_numpy(values[index : index + 1].astype(np.float32)),
        "clinical_mask": torch.from_numpy(known[index : index + 1].copy()),
    }
