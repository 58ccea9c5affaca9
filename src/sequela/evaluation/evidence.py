"""How strong the evidence behind a model's numbers is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sequela.errors import LeakageError
from sequela.evaluation.predictions import Sampling
from sequela.evaluation.rows import ModelRows
from sequela.evaluation.settings import Stated

OPTIMISTIC = "selected on test (optimistic)"
BIASED = "outcome-dependent sampling"
GRADES = (
    "unknown",
    "apparent",
    "cross-validated",
    "held out",
    "temporally held out",
    "external",
)
"""From weak to strong."""


def evidence_of(model: ModelRows, stated: Stated | None = None) -> dict[str, object]:
    """The grade of a model's numbers, and why it is that one.

    Args:
        model: Whose numbers.
        stated: What the owner of the predictions says of them; believed where the predictions do
            not show more or less.

    Source: the types of validation of TRIPOD (Moons et al. 2015, figure 1), 1a to 3.
    """
    grade, reason = _grade(model, stated)
    return {"grade": grade, "reason": reason}


def marks_of(model: ModelRows) -> list[str]:
    """What must stand beside each of a model's numbers."""
    sampling = model.provenance.sampling
    biased = sampling is not None and sampling.outcome_dependent
    chosen = model.provenance.epoch_chosen_on == "test"
    return [*([OPTIMISTIC] if chosen else []), *([BIASED] if biased else [])]


def weakest(grades: Sequence[str]) -> str:
    """The grade of a number that rests on several."""
    return min(grades, key=GRADES.index, default=GRADES[0])


def stamp(content: object, grade: str, marks: Sequence[str]) -> None:
    """Write grade and marks into every estimate of a part of `evaluation.json`, in place."""
    if isinstance(content, list):
        for item in content:
            stamp(item, grade, marks)
    elif isinstance(content, dict):
        if {"value", "low", "high"} <= content.keys():
            content["evidence"], content["marks"] = grade, list(marks)
        for item in content.values():
            stamp(item, grade, marks)


def sampling_in_words(sampling: Sampling) -> str:
    """What a design gives away, as a sentence beside the numbers."""
    if sampling.outcome_dependent is None:
        return f"whether the outcome decided who was seen when is not known: {sampling.reason}"
    if not sampling.outcome_dependent or sampling.auc is None:
        return ""
    return (
        "OUTCOME-DEPENDENT SAMPLING: the times of visits alone tell the outcome, with an AUC of "
        f"{sampling.auc:.2f} ({sampling.low:.2f} to {sampling.high:.2f}); only what a model has "
        "above that is its own"
    )


def require_accepted(models: Sequence[ModelRows], *, accepted: bool) -> None:
    """Refuse numbers of a design that gives the outcome away, unless that is known and meant.

    Raises:
        LeakageError: If a model's cases were sampled by the outcome.
    """
    biased = tuple(model for model in models if BIASED in marks_of(model))
    if biased and not accepted:
        sampling = biased[0].provenance.sampling
        assert sampling is not None  # noqa: S101
        raise LeakageError(
            sampling_in_words(sampling),
            hint="predict under protocol.name=landmark; or, to compare with published numbers "
            "of such a design, give --accept-biased-design: every number then carries the mark",
            items=tuple(model.name for model in biased),
        )


def _grade(model: ModelRows, stated: Stated | None) -> tuple[str, str]:
    if model.provenance.epoch_chosen_on == "test":
        return "apparent", "the epoch was chosen on these very patients"
    if model.split == "external":
        return "external", "the predictions mark these patients as those of another cohort"
    if _folds_part(model):
        return "cross-validated", "every patient was predicted by runs that had set the fold apart"
    if stated is not None:
        return stated, "stated in the settings"
    if model.provenance.splits:
        return "held out", "a split file set these patients apart before training"
    return "unknown", "the predictions do not say how these patients were set apart"


def _folds_part(model: ModelRows) -> bool:
    """Whether each repeat has two folds or more and no patient is tested in two of them."""
    patients: dict[int, dict[int, set[int]]] = {}
    for run in np.unique(model.test.run).tolist():
        repeat, fold, _ = model.runs[run]
        tested = set(model.test.patient[model.test.run == run].tolist())
        patients.setdefault(repeat, {}).setdefault(fold, set()).update(tested)
    return all(
        len(folds) > 1 and sum(map(len, folds.values())) == len(set().union(*folds.values()))
        for folds in patients.values()
    )
