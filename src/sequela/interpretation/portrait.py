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
from sequela.fusion.timeline import latest_exams
from sequela.interpretation.grad_cam import grad_cam
from sequela.interpretation.highlighting import highlighted
from sequela.interpretation.overlay import write_image, write_map
from sequela.interpretation.risk_score import risk_score
from sequela.interpretation.text_attribution import integrated_gradients
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
    """

    model: nn.Module
    head: Head
    exams: int
    inputs: CaseInputs
    tokenizer: Any
    show_texts: bool

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
    maps, weights = _maps(subject, seen), _weights(subject, seen)
    exams = [
        {
            "day": exam.day,
            "views": _views(seen, maps, slot, folder, f"{name}-visit-{number}"),
            **_note(subject, seen, weights, slot, exam),
        }
        for number, (slot, exam) in enumerate(subject.slots(seen, row), start=1)
    ]
    return {"risk": risk, "landmark": subject.inputs.cases[row].landmark, "exams": exams}


def _maps(subject: Subject, seen: Batch) -> Float[np.ndarray, "exam view row column"] | None:
    if seen.views is None or getattr(subject.model, "image", None) is None:
        return None
    maps = grad_cam(subject.model, seen, risk_score(subject.head))[0]
    return (maps / maps.amax().clamp(min=1e-30)).cpu().numpy()


def _weights(subject: Subject, seen: Batch) -> Float[Tensor, "exam token"] | None:
    if not subject.show_texts or seen.tokens is None:
        return None
    if getattr(subject.model, "text", None) is None:
        return None
    return integrated_gradients(subject.model, seen, risk_score(subject.head)).weights[0].cpu()


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
    subject: Subject,
    seen: Batch,
    weights: Float[Tensor, "exam token"] | None,
    slot: int,
    exam: Exam,
) -> dict[str, Any]:
    text = joined(exam.texts)
    if not text or not subject.show_texts:
        return {"text": "", "tokens": [], "withheld": bool(text)}
    if weights is None or seen.tokens is None or seen.token_mask is None:
        return {"text": text, "tokens": [], "withheld": False}
    there = seen.token_mask[0, slot]
    ids, moved = seen.tokens[0, slot][there].tolist(), weights[slot][there.cpu()].tolist()
    pieces = highlighted(text, ids, moved, subject.tokenizer)
    return {"text": text, "tokens": [list(piece) for piece in pieces], "withheld": False}
