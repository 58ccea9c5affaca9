"""A patient's risk then and now, and what the last visit changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float

from sequela.cohort.patient import Case
from sequela.interpretation.part_attribution import shapley
from sequela.interpretation.portrait import Subject
from sequela.interpretation.risk_score import evaluating, risk_score
from sequela.modalities.batch import Batch

_MASKS = {"images": "view_mask", "note": "text_mask"}
VISIT = "visit"
"""What the visit changed by having been made, without its images and note."""


def standpoints(case: Case) -> list[Case]:
    """The case as it stood at each visit, with the texts that could be read by then; last, itself.

    Args:
        case: With all exams that may be seen.
    """
    earlier = [
        Case(
            case.patient_id,
            exam.day,
            tuple(
                replace(before, texts=tuple(t for t in before.texts if t.available_day <= exam.day))
                for before in case.exams[: place + 1]
            ),
        )
        for place, exam in enumerate(case.exams[:-1])
    ]
    return [*earlier, case]


def history(subject: Subject) -> dict[str, Any]:
    """Risks from each standpoint, and the last step of the score taken apart.

    Args:
        subject: The model and, as its cases, the standpoints of one patient.

    Returns:
        `risks`, each with its `day`; and `change`, None with one visit: the day `since`, the
        scores `then` and `now`, and `steps`, which sum to their difference.
    """
    cases = subject.inputs.cases
    seen = [subject.seen(row) for row in range(len(cases))]
    with evaluating(subject.model), torch.no_grad():
        risks = [_risk(subject, one) for one in seen]
        if len(cases) < 2:
            return {"risks": _dated(cases, risks), "change": None}
        then = _score(subject, seen[-2])
        steps, now = _steps(subject, seen[-1], then)
    change = {"since": cases[-2].landmark, "then": then, "now": now, "steps": steps}
    return {"risks": _dated(cases, risks), "change": change}


def _dated(cases: Sequence[Case], risks: Sequence[float]) -> list[dict[str, float]]:
    return [{"day": case.landmark, "risk": risk} for case, risk in zip(cases, risks, strict=True)]


def _steps(subject: Subject, seen: Batch, then: float) -> tuple[list[dict[str, Any]], float]:
    """From the score then to that of the bare visit, then by images and note to that of now.

    Images and note share what they do by Shapley's rule: the mean over both orders.
    """
    given = [what for what, mask in _MASKS.items() if _has(seen, mask)]

    def game(coalitions: Bool[np.ndarray, "coalition player"]) -> Float[np.ndarray, " coalition"]:
        return np.array([_score(subject, _only(seen, given, chosen)) for chosen in coalitions])

    if given:
        moved, now, bare = shapley(game, len(given))
    else:
        moved, now = np.zeros(0), _score(subject, seen)
        bare = now
    steps = [{"what": VISIT, "moved": bare - then}]
    steps += [{"what": w, "moved": float(m)} for w, m in zip(given, moved, strict=True)]
    return steps, now


def _has(seen: Batch, mask: str) -> bool:
    values = getattr(seen, mask)
    return values is not None and bool(values[0, -1].any())


def _only(seen: Batch, given: Sequence[str], chosen: Bool[np.ndarray, " player"]) -> Batch:
    """The patient without what is not chosen of the last visit."""
    changes = {}
    for what, kept in zip(given, chosen, strict=True):
        if not kept:
            mask = getattr(seen, _MASKS[what]).clone()
            mask[:, -1] = False
            changes[_MASKS[what]] = mask
    return replace(seen, **changes)


def _score(subject: Subject, seen: Batch) -> float:
    return float(risk_score(subject.head)(subject.model(seen).logits.double())[0])


def _risk(subject: Subject, seen: Batch) -> float:
    return float(subject.head.risk(subject.model(seen).logits.double())[0])
