"""Patients and what is known of them: ids, days and paths; no tensor, no outcome."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Side = Literal["L", "R"]
View = Literal["CC", "MLO"]

BELIEVABLE_MPP = (0.05, 20.0)
"""Micrometres a pixel that a scanner can make, or a shrunken picture of a slide can have."""

FEATURES, COORDS = ("features", "feats"), "coords"
"""What tools call the features of patches, and where the patches lie."""

PICKLES = (".pt", ".pth", ".pkl", ".pickle", ".npy", ".npz")
"""Endings of files that are, or may hold, pickles: they run code as they are read."""


@dataclass(frozen=True)
class Image:
    """One mammogram on disk; the path is absolute, so it is for opening and never for printing."""

    image_id: str
    side: Side
    view: View
    path: Path


@dataclass(frozen=True)
class Text:
    """A note or report, and the day from which it could have been read."""

    text_id: str
    day: float
    available_day: float
    kind: str
    text: str
    language: str


@dataclass(frozen=True)
class Slide:
    """One whole-slide image: the file, its patch features, or both; paths are never printed.

    Attributes:
        slide_id: Names it.
        path: The image, None where only features are.
        features: Features of its patches, None where they are still to be made.
        mpp: Micrometres a pixel at the largest level, None to read it from the file.
    """

    slide_id: str
    path: Path | None = None
    features: Path | None = None
    mpp: float | None = None


@dataclass(frozen=True)
class Exam:
    """One visit: its images, and the text written about it, in days from the index date."""

    exam_id: str
    day: float
    modality: str
    vendor: str
    images: tuple[Image, ...]
    texts: tuple[Text, ...]


@dataclass(frozen=True)
class Patient:
    """One patient's exams, oldest first, the texts that belong to no exam, and the slides."""

    patient_id: str
    site: str
    exams: tuple[Exam, ...]
    texts: tuple[Text, ...]
    cancer_type: str = ""
    slides: tuple[Slide, ...] = ()


@dataclass(frozen=True)
class Case:
    """A patient seen from a landmark: what a model may look at, and nothing later.

    Attributes:
        patient_id: Whose case it is.
        landmark: Day from the index date on which the prediction is made.
        exams: Exams that may be seen, oldest first; empty in a clinical-only cohort.
        texts: Texts that may be seen and belong to none of these exams.
    """

    patient_id: str
    landmark: float
    exams: tuple[Exam, ...]
    texts: tuple[Text, ...] = ()
