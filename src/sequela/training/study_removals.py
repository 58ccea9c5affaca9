"""Parts taken out of a study's trained models, beside the ablations trained anew.

The LUMIN paper's ablations are trained anew; what a model without a part can learn, and how much
the trained one leans on it, are two questions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from sequela.evaluation.evaluate import question_of
from sequela.evaluation.metrics import metrics_of
from sequela.evaluation.predictions import Predictions
from sequela.evaluation.rows import models_of
from sequela.evaluation.settings import EvaluationSettings
from sequela.evaluation.uncertainty import Resampler, Resampling
from sequela.models.lumin import CROSS_MODAL, TEMPORAL
from sequela.models.removal import EVOLUTION
from sequela.training.collection import common_provenance
from sequela.training.run import Run
from sequela.training.study import Member, Study

METRICS = ("auc", "harrell_c", "brier")
RETRAINED: Mapping[str, Mapping[str, str]] = {
    "lumin": {EVOLUTION: "lumin-m"},
    "lumin-m": {part: f"lumin-m-without-{part}" for part in CROSS_MODAL},
    "lumin-t": {part: f"lumin-t-without-{part}" for part in TEMPORAL},
    "kemm": {part: f"without-{part}" for part in ("genes", "report", "clinical")},
}
"""By variant and part, the variant that was trained without it."""


def parts_removed(member: Member, labels: Sequence[str]) -> tuple[str, ...]:
    """What is taken out of a member's models: whatever the study also trains anew without.

    Args:
        member: Under its variant's own name; others are in no row of the paper's.
        labels: Of all entries.
    """
    retrained = RETRAINED.get(member.variant, {}) if member.label == member.variant else {}
    return tuple(part for part, name in retrained.items() if name in labels)


def removals(study: Study) -> list[dict[str, Any]]:
    """Numbers of each model less each part, over all its runs: `model`, `part`, a name each.

    AUC, Harrell's concordance and the Brier score.
    """
    settings = study.project.configuration.evaluation
    wanted = {
        (member.label, part): None
        for member in study.members
        for part in parts_removed(member, study.labels)
    }
    return [
        {"model": label, "part": part, **numbers}
        for label, part in wanted
        if (numbers := _numbers(study, label, part, settings))
    ]


def _numbers(
    study: Study, label: str, part: str, settings: EvaluationSettings
) -> dict[str, object]:
    found: list[tuple[str, Predictions]] = []
    for member in study.members:
        for fold in study.project.folds:
            run = Run(member.project.run_folder(member.variant, fold))
            file = run.predictions_without(part)
            if member.label == label and file.exists():
                found.append((run.name, Predictions.read(file)))
    if not found:
        return {}
    table = pl.concat([one.table for _, one in found], how="diagonal")
    names, origins = [name for name, _ in found], [one.provenance for _, one in found]
    (model,) = models_of([Predictions(table, common_provenance(origins, names))])
    resampler = Resampler(Resampling.asked(settings))
    metrics = metrics_of(model, question_of(model, settings), settings, resampler)
    return {name: metrics[name].estimate.as_json() for name in METRICS if name in metrics}
