"""One patient explained: every view with its map, every note with its weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from sequela.cohort.patient import Exam
from sequela.errors import UsageError
from sequela.fusion.timeline import latest_exams
from sequela.interpretation.attention_attribution import gradient_attention
from sequela.interpretation.grad_cam import grad_cam
from sequela.interpretation.highlighting import highlighted
from sequela.interpretation.overlay import write_image, write_map
from sequela.interpretation.part_attribution import attribute_parts
from sequela.interpretation.risk_score import risk_score
from sequela.interpretation.text_attribution import TextAttribution, integrated_gradients
from sequela.modalities.batch import Batch
from sequela.modalities.cases import CaseInputs
from sequela.modalities.mammogram import VIEW_KINDS
from sequela.modalities.text import joined
from sequela.models.heads import Head


@dataclass(frozen=True)
class Subject:
    """A model and the cases that it is explained on.

    Attributes:
        model: As it was trained.
        head: What its logits say.
        exams: How many exams it sees.
        inputs: Samples of the cases, each of at most so many exams.
        tokenizer: None where it reads no texts.
        show_texts: Whether notes may be written out.
        nodes: Of the integral in the attribution of words.
        attention: Whether gradient × attention stands beside it.
        orders: Orders of parts that are drawn where there are too many for all.
    """

    model: nn.Module
    head: Head
    exams: int
    inputs: CaseInputs
    tokenizer: Any
    show_texts: bool
    nodes: int = 32
    attention: bool = True
    orders: int = 64

    def seen(self, row: int) -> Batch:
        """A case as the model sees it, on the model's device, exams in slots."""
        device = next(self.model.parameters()).device
        return latest_exams(self.inputs[row].to(device), self.exams)

    def slots(self, seen: Batch, row: int) -> list[tuple[int, Exam]]:
        """The slot of each exam of a case."""
        filled = seen.exam_mask[0].nonzero()[:, 0].tolist()
        return list(zip(filled, self.inputs.cases[row].exams, strict=True))


def portrait(subject: Subject, row: int, folder: Path, name: str) -> dict[str, Any]:
    """Explain a case; its images are written to `folder`, the rest is returned for JSON.

    Maps are scaled to the brightest of the patient, so that visits can be compared.

    Args:
        subject: The model and its cases.
        row: Which case.
        folder: Takes the PNG files.
        name: What their names begin with; no identifier.
    """
    seen = subject.seen(row)
    with torch.no_grad():
        risk = float(subject.head.risk(subject.model(seen).logits.double())[0])
    maps, words = _maps(subject, seen), _words(subject, seen)
    exams = [
        {
            "day": exam.day,
            "views": _views(seen, maps, slot, folder, f"{name}-visit-{number}"),
            **_note(subject, seen, words, slot, exam),
            "missing": _missing(subject, exam),
        }
        for number, (slot, exam) in enumerate(subject.slots(seen, row), start=1)
    ]
    return {
        "risk": risk,
        "landmark": subject.inputs.cases[row].landmark,
        "exams": exams,
        "parts": _parts(subject, seen),
        "words": {} if words is None else _completeness(words.moved),
    }


@dataclass(frozen=True)
class _Words:
    """Weights of a patient's words: what they moved, and what was attended to."""

    moved: TextAttribution
    attended: Float[Tensor, "patient exam token"] | None


def _parts(subject: Subject, seen: Batch) -> dict[str, Any]:
    """What each part token moved the score by; empty for a model without parts."""
    score = risk_score(subject.head)
    try:
        found = attribute_parts(subject.model, seen, score, orders=subject.orders)
    except UsageError:
        return {}
    return {
        "score": found.score,
        "baseline": found.baseline,
        "exact": found.exact,
        "weights": [
            [name, float(weight)] for name, weight in zip(found.names, found.weights, strict=True)
        ],
    }


def _completeness(moved: TextAttribution) -> dict[str, float]:
    """What the words were to sum to, and what they do."""
    return {
        "score": float(moved.score[0]),
        "baseline": float(moved.baseline[0]),
        "sum": float(moved.weights[0].sum()),
    }


def _missing(subject: Subject, exam: Exam) -> list[str]:
    """What the model reads of a visit and did not find: views, and a note."""
    store, lacking = subject.inputs.images, []
    if store is not None:
        there = {(image.side, image.view) for image in exam.images if image.image_id in store}
        lacking = [f"{side} {view}" for side, view in VIEW_KINDS if (side, view) not in there]
    if subject.inputs.texts is not None and not joined(exam.texts):
        lacking.append("note")
    return lacking


def _maps(subject: Subject, seen: Batch) -> Float[np.ndarray, "exam view row column"] | None:
    if seen.views is None or getattr(subject.model, "image", None) is None:
        return None
    maps = grad_cam(subject.model, seen, risk_score(subject.head))[0]
    return (maps / maps.amax().clamp(min=1e-30)).cpu().numpy()


def _words(subject: Subject, seen: Batch) -> _Words | None:
    if not subject.show_texts or seen.text_mask is None or not seen.text_mask.any():
        return None
    if getattr(subject.model, "text", None) is None:
        return None
    score = risk_score(subject.head)
    moved = integrated_gradients(subject.model, seen, score, steps=subject.nodes)
    attended = gradient_attention(subject.model, seen, score) if subject.attention else None
    return _Words(moved, attended)


def _views(
    seen: Batch,
    maps: Float[np.ndarray, "exam view row column"] | None,
    slot: int,
    folder: Path,
    name: str,
) -> list[dict[str, str]]:
    """Write the views of an exam, and say where."""
    if seen.views is None or seen.view_mask is None or seen.view_kind is None:
        return []
    views = []
    for view in seen.view_mask[0, slot].nonzero()[:, 0].tolist():
        side, kind = VIEW_KINDS[int(seen.view_kind[0, slot, view])]
        stem = f"{name}-{side}-{kind}-{view + 1}"
        write_image(folder / f"{stem}.png", _bytes(seen.views[0, slot, view]))
        shown = {"kind": f"{side} {kind}", "image": f"{stem}.png"}
        if maps is not None:
            write_map(folder / f"{stem}-map.png", maps[slot, view])
            shown["map"] = f"{stem}-map.png"
        views.append(shown)
    return views


def _bytes(view: Tensor) -> np.ndarray:
    pixels: np.ndarray = view.cpu().numpy()
    return pixels if pixels.dtype == np.uint8 else (pixels * 255 + 0.5).astype(np.uint8)


def _note(
    subject: Subject, seen: Batch, words: _Words | None, slot: int, exam: Exam
) -> dict[str, Any]:
    text = joined(exam.texts)
    if not text or not subject.show_texts:
        return {"text": "", "tokens": [], "attention": [], "withheld": bool(text)}
    if words is None or seen.tokens is None or seen.token_mask is None:
        return {"text": text, "tokens": [], "attention": [], "withheld": False}
    there = seen.token_mask[0, slot]
    ids = seen.tokens[0, slot][there].tolist()

    def pieces(weights: Float[Tensor, "patient exam token"] | None) -> list[list[Any]]:
        if weights is None:
            return []
        own = weights[0, slot][there].tolist()
        return [list(piece) for piece in highlighted(text, ids, own, subject.tokenizer)]

    shown = {"tokens": pieces(words.moved.weights), "attention": pieces(words.attended)}
    return {"text": text, **shown, "withheld": False}
