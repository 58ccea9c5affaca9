"""Kaplan-Meier, clinical Cox and exam timing as runs like any other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sequela.cohort.patient import Case
from sequela.knowledge.frozen import FrozenKnowledge
from sequela.modalities.clinical import rows_of
from sequela.models.baseline_numbers import BaselineInputs
from sequela.models.baselines import (
    BASELINES,
    READS_REPORTS,
    BaselineName,
    baseline_from_state,
    fit_baseline,
)
from sequela.progress import Advance
from sequela.seal import unseal
from sequela.training.answers import Answers, half_yearly_grid
from sequela.training.checkpoint import write_tensors
from sequela.training.patient_sources import freeze_knowledge, require_knowledge
from sequela.training.project import Fold, Project
from sequela.training.run import Purpose, Run, opened_run
from sequela.training.supervision import described, require_outcomes

FAMILY = "baseline"
_DECISIVE = ("protocol", "split")


def baseline_name(variant: str) -> BaselineName | None:
    """The baseline of that name, None if a variant is meant."""
    return next((name for name in BASELINES if name == variant), None)


def train_baseline(
    project: Project,
    name: BaselineName,
    fold: Fold,
    advance: Advance = lambda _: None,
    *,
    restart: bool = False,
) -> Run:
    """Fit a baseline on the fold's training patients; it takes moments, so it is always fitted.

    Raises:
        DataError: If the cohort declares no clinical covariate that it could read.
    """
    require_outcomes(project, fold, ("train",))
    knowledge = freeze_knowledge(project) if name in READS_REPORTS else None
    identity = {
        "stage": "train",
        "variant": name,
        **vars(fold),
        **project.fingerprints(None),
        "pixels": None,
        "images": None,
    }
    if knowledge is not None:
        identity["knowledge"] = knowledge.fingerprint
    purpose = Purpose(project.configuration.as_values(), _DECISIVE, identity)
    with opened_run(project.run_folder(name, fold), purpose, restart=restart) as run:
        metadata = {
            **identity,
            "family": FAMILY,
            "epoch_chosen_on": "none",
            **_fitted(project, name, fold, knowledge),
            **described(project),
        }
        unseal(run.folder, run.checkpoint.name)
        write_tensors(run.checkpoint, {}, metadata)
    advance(1)
    return run


def baseline_answers(metadata: dict[str, Any], cases: Sequence[Case], project: Project) -> Answers:
    """Risk and survival of cases, whoever's they are."""
    baseline = baseline_from_state(metadata["baseline"])
    knowledge = None
    if metadata["variant"] in READS_REPORTS:
        knowledge = freeze_knowledge(project)
        require_knowledge(project, metadata, knowledge.fingerprint if knowledge else None)
    inputs = _inputs(project, cases, knowledge)
    times = tuple(metadata["survival_grid"])
    return Answers(baseline.risk(inputs), times, baseline.survival(inputs, times))


def _fitted(
    project: Project, name: BaselineName, fold: Fold, knowledge: FrozenKnowledge | None
) -> dict[str, Any]:
    rows = project.rows("train", fold)
    followup, target = project.selection.followup[rows], project.target
    baseline = fit_baseline(
        name,
        _inputs(project, [project.selection.cases[row] for row in rows], knowledge),
        followup,
        clinical=project.cohort.manifest.clinical,
        horizon=target.horizon,
        cause=target.cause,
    )
    last = float(np.max(followup.time[followup.event == target.cause]))
    grid = half_yearly_grid(last if target.horizon is None else target.horizon)
    return {"baseline": baseline.state(), "survival_grid": list(grid)}


def _inputs(
    project: Project, cases: Sequence[Case], knowledge: FrozenKnowledge | None
) -> BaselineInputs:
    covariates = rows_of(project.cohort.covariates, [case.patient_id for case in cases])
    reports = {} if knowledge is None else knowledge.reports
    return BaselineInputs(cases, covariates, project.cohort.genes, reports)
