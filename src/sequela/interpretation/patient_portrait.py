"""One patient who is seen once, explained: modalities, report, claims with what they look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from torch import nn

from sequela.cohort.patient import Case
from sequela.interpretation.claim_maps import ClaimMap, claim_maps
from sequela.interpretation.modality_attribution import attribute_modalities
from sequela.interpretation.patch_places import (
    PlacedSlide,
    draw_map,
    placed_slides,
    write_map,
    write_slide,
    write_tiles,
)
from sequela.interpretation.report_evidence import report_evidence
from sequela.interpretation.risk_score import risk_score
from sequela.knowledge.background import Claim
from sequela.knowledge.schema import StructuredReport
from sequela.modalities.batch import Batch
from sequela.modalities.patient_inputs import PatientInputs
from sequela.models.heads import Head
from sequela.models.peer_config import PatientConfig
from sequela.training.knowledge_tables import claims_of
from sequela.training.patient_data import PatientSources

TOP_PATCHES, TOP_SETS = 4, 6
_YEARS = (1, 3, 5)
_DAYS_A_YEAR = 365.25


@dataclass(frozen=True)
class PatientSubject:
    """A model and the patients that it is explained on.

    Attributes:
        model: As it was trained.
        config: What it is.
        head: What its logits say.
        cases: Of the patients.
        inputs: Their samples.
        sources: Where these come from.
        show_texts: Whether reports may be written out.
    """

    model: nn.Module
    config: PatientConfig
    head: Head
    cases: Sequence[Case]
    inputs: PatientInputs
    sources: PatientSources
    show_texts: bool

    def seen(self, row: int) -> Batch:
        """A patient as the model sees him, on its device."""
        return self.inputs[row].to(next(self.model.parameters()).device)

    def claims(self, row: int) -> tuple[Claim, ...]:
        """The claims of the patient's batch, in its order."""
        knowledge = self.sources.knowledge
        if knowledge is None or self.config.claims == "none":
            return ()
        cancer = self.sources.cohort.patient(self.cases[row].patient_id).cancer_type
        return claims_of(knowledge.claims, cancer, self.config)

    def report(self, row: int) -> StructuredReport | None:
        """The patient's report as it was read."""
        knowledge = self.sources.knowledge
        return knowledge.reports.get(self.cases[row].patient_id) if knowledge else None

    def sets(self) -> dict[str, tuple[str, ...]]:
        """Names of the gene sets of each table that is read."""
        return {} if self.config.shape is None else dict(self.config.shape.sets)

    def slides(self, row: int) -> tuple[PlacedSlide, ...]:
        """Where the patches of a patient's bag lie."""
        if "slide" not in self.config.reads:
            return ()
        return placed_slides(self.sources.bags, self.cases[row].patient_id)


@dataclass(frozen=True)
class Portrait:
    """A patient explained.

    Attributes:
        content: For JSON.
        maps: What each claim looks at.
        slides: Where the patches lie.
    """

    content: dict[str, Any]
    maps: tuple[ClaimMap, ...]
    slides: tuple[PlacedSlide, ...]


def patient_portrait(subject: PatientSubject, row: int, folder: Path, name: str) -> Portrait:
    """Explain a patient; pictures are written to `folder`, the rest is returned for JSON.

    Args:
        subject: The model and its patients.
        row: Which patient.
        folder: Takes the PNG files.
        name: What their names begin with; no identifier.
    """
    seen, slides = subject.seen(row), subject.slides(row)
    maps = claim_maps(subject.model, seen, subject.claims(row))
    with torch.no_grad():
        logits = subject.model(seen).logits.double()
    content = {
        "risk": float(subject.head.risk(logits)[0]),
        "survival": _survival(subject.head, logits),
        "modalities": _modalities(subject, row, seen, slides),
        "shapley": _shapley(subject, seen),
        "report": report_evidence(
            subject.cases[row], subject.config, subject.report(row), show=subject.show_texts
        ),
        "claims": _claims(subject, row, maps, slides, folder, name),
        "slides": _slides(slides, folder, name),
    }
    return Portrait(content, maps, slides)


def _survival(head: Head, logits: torch.Tensor) -> list[list[float]]:
    """Years and the probability of not having had the event by then, as far as the head knows."""
    years = [year for year in _YEARS if year * _DAYS_A_YEAR <= max(head.grid, default=0.0)]
    if not years:
        return []
    chances = head.survival(logits, tuple(year * _DAYS_A_YEAR for year in years))[0].tolist()
    return [[float(year), chance] for year, chance in zip(years, chances, strict=True)]


def _modalities(
    subject: PatientSubject, row: int, seen: Batch, slides: Sequence[PlacedSlide]
) -> list[dict[str, Any]]:
    """What the model reads, and how much of it the patient has."""
    found = []
    for name in subject.config.reads:
        mask = seen.measured(name)[1]
        known = int(mask.sum())
        entry = {"name": name, "known": known, "of": int(mask.shape[1]), "slides": len(slides)}
        found.append(entry if name == "slide" else {**entry, "slides": 0})
    return found


def _shapley(subject: PatientSubject, seen: Batch) -> dict[str, Any]:
    found = attribute_modalities(
        subject.model, seen, risk_score(subject.head), subject.config.reads
    )
    return {
        "score": found.score,
        "baseline": found.baseline,
        "weights": [[n, float(w)] for n, w in zip(found.names, found.weights, strict=True)],
    }


def _claims(
    subject: PatientSubject,
    row: int,
    maps: Sequence[ClaimMap],
    slides: Sequence[PlacedSlide],
    folder: Path,
    name: str,
) -> list[dict[str, Any]]:
    """Each claim with what it looks at most; pictures of patches are written."""
    patches = [one for one in maps if one.source == "slide"]
    looked = {place for one in patches for place in _top(one.weights, TOP_PATCHES).tolist()}
    files = {place: folder / f"{name}-patch-{place + 1}.png" for place in sorted(looked)}
    written = write_tiles(slides, _pictures(subject, row), files) if slides else set()
    sets, told = subject.sets(), []
    for number, one in enumerate(maps, start=1):
        entry: dict[str, Any] = {
            "id": one.claim.id,
            "source": one.source,
            "direction": one.claim.direction,
            "text": one.claim.text,
            "citation": one.claim.citation,
            "of": len(one.weights),
            "half": one.half,
        }
        if one.source == "slide":
            entry |= _patches(one, slides, folder / f"{name}-claim-{number}.png", files, written)
        else:
            names = sets[one.source]
            top = _top(one.weights, TOP_SETS).tolist()
            entry["sets"] = [[names[place], float(one.weights[place])] for place in top]
        told.append(entry)
    return told


def _slides(slides: Sequence[PlacedSlide], folder: Path, name: str) -> list[str]:
    """Write pictures of the slides, as far as we have cut them ourselves."""
    files = [folder / f"{name}-slide-{number}.png" for number in range(1, len(slides) + 1)]
    return [file.name for file, one in zip(files, slides, strict=True) if write_slide(file, one)]


def _patches(
    one: ClaimMap,
    slides: Sequence[PlacedSlide],
    file: Path,
    files: Mapping[int, Path],
    written: set[int],
) -> dict[str, Any]:
    drawn = draw_map(slides, one.weights)
    if drawn is not None:
        write_map(file, drawn)
    top = [
        {
            "weight": float(one.weights[place]),
            "x": _at(slides, place, 0),
            "y": _at(slides, place, 1),
            "image": files[place].name if place in written else None,
        }
        for place in _top(one.weights, TOP_PATCHES).tolist()
    ]
    return {"map": None if drawn is None else file.name, "patches": top}


def _at(slides: Sequence[PlacedSlide], place: int, axis: int) -> float | None:
    for slide in slides:
        if place < slide.patches:
            return None if slide.coords is None else float(slide.coords[place, axis])
        place -= slide.patches
    return None


def _top(weights: np.ndarray, count: int) -> Int[np.ndarray, " _"]:
    """The places of the largest weights, largest first."""
    return np.argsort(-weights, kind="stable")[:count]


def _pictures(subject: PatientSubject, row: int) -> dict[str, Path]:
    patient = subject.sources.cohort.patient(subject.cases[row].patient_id)
    return {slide.slide_id: slide.path for slide in patient.slides if slide.path is not None}
