"""What a study would do here, and how long it would take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch

from sequela.errors import DataError
from sequela.training.planning import Planned, plan_alignment, plan_run
from sequela.training.project import Fold, Project
from sequela.training.study import Member, Study, aligning_project, starts_aligned
from sequela.training.study_runs import standing


@dataclass(frozen=True)
class StudyPlan:
    """A study before it is begun.

    Attributes:
        cases: That the protocol makes.
        patients: Whose they are.
        runs: Seeds × folds of all entries, alignments apart.
        finished: How many of them stand there already.
        entries: Of each entry with runs left, one run's plan.
        seconds: On this machine with its jobs side by side; None where nothing is prepared yet,
            for a step cannot be tried then.
    """

    cases: int
    patients: int
    runs: int
    finished: int
    entries: tuple[Planned, ...]
    seconds: float | None

    def as_json(self) -> dict[str, Any]:
        """The plan in values that JSON holds."""
        return asdict(self)


def plan_study(study: Study) -> StudyPlan:
    """Try a step of one run of each entry; nothing is written.

    An entry's other runs are taken to last as long. A step is tried from fresh weights, so no
    alignment is needed.
    """
    cases = study.project.selection.cases
    folds = _folds(study.project)
    left = {
        (member.label, member.seed, fold): member
        for member in study.members
        for fold in folds or (Fold(),)
        if not (folds and standing(study, member, fold))
    }
    split = study.project.configuration.split
    runs = len(study.members) * (len(folds) or split.folds * split.repeats)
    planned, seconds = _planned(study, folds, list(left.values())) if folds else ((), None)
    return StudyPlan(
        cases=len(cases),
        patients=len({case.patient_id for case in cases}),
        runs=runs,
        finished=runs - len(left) if folds else 0,
        entries=planned,
        seconds=seconds,
    )


def _folds(project: Project) -> tuple[Fold, ...]:
    """The divisions that were drawn, none where nothing is prepared."""
    try:
        return project.folds
    except DataError:
        return ()


def _planned(
    study: Study, folds: Sequence[Fold], left: Sequence[Member]
) -> tuple[tuple[Planned, ...], float]:
    torch.set_num_threads(1)
    plans: dict[str, Planned] = {}
    alignments: dict[str, float] = {}
    total = 0.0
    for member in left:
        if member.label not in plans:
            plan = plan_run(_unaligned(member.project), member.variant, folds[0])
            plans[member.label] = replace(plan, name=member.label)
        total += plans[member.label].seconds
        if starts_aligned(member):
            project = aligning_project(study, member)
            name = project.names["pretrain"]
            if name not in alignments:
                alignments[name] = plan_alignment(project, folds[0]).seconds * len(folds)
    jobs = study.project.configuration.machine.jobs_for(len(left) or 1)
    return tuple(plans.values()), (total + sum(alignments.values())) / jobs


def _unaligned(project: Project) -> Project:
    model = project.configuration.model.evolve(pretrained_alignment=False)
    configuration = project.configuration.evolve(model=model.model_dump())
    return replace(project, configuration=configuration)
