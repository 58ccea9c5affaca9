"""How strong the evidence behind a model's numbers is."""

from __future__ import annotations

import numpy as np

from sequela.evaluation.rows import ModelRows
from sequela.evaluation.settings import Stated


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
