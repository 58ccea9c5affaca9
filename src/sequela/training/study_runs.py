"""A study's runs: made in processes of their own, gone on with where they stood."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import polars as pl
import yaml

from sequela.audit.sampling import sampling_verdict
from sequela.cohort.protocol import ProtocolSettings
from sequela.cohort.sites import shared_sites
from sequela.errors import DataError, InterruptedRunError, SequelaError
from sequela.evaluation.predictions import Predictions, Sampling
from sequela.models.peer_config import PatientConfig
from sequela.progress import Advance, say, stage
from sequela.training.baselines import baseline_name
from sequela.training.collection import common_provenance
from sequela.training.configuration import ALIGNED, PREDICTED, Configuration
from sequela.training.ensemble import SUFFIX, averaged
from sequela.training.patient_sources import freeze_knowledge
from sequela.training.prediction import predict
from sequela.training.preparation import prepare
from sequela.training.pretraining import NAME as PRETRAINING
from sequela.training.pretraining import pretrain
from sequela.training.project import Fold, Project
from sequela.training.run import Run, differences
from sequela.training.side_by_side import side_by_side
from sequela.training.stages import train_one
from sequela.training.study import Member, Study, aligning_project, starts_aligned
from sequela.training.study_removals import parts_removed


@dataclass(frozen=True)
class StudyTask:
    """One run of a study, in words that another process understands."""

    cohort: Path
    work: Path
    runs: Path
    names: tuple[tuple[str, str], ...]
    configuration: str
    variant: str
    fold: Fold
    restart: bool
    name: str
    without: tuple[str, ...] = ()

    @property
    def epochs(self) -> int:
        """How many steps its progress has."""
        configuration = Configuration.model_validate_json(self.configuration)
        if baseline_name(self.variant):
            return 1
        aligning = self.variant == PRETRAINING
        return (configuration.pretrain if aligning else configuration.train).epochs


@dataclass(frozen=True)
class FailedRun:
    """A run that ended with an error, and the error."""

    name: str
    code: str
    message: str
    hint: str


def run_study(study: Study, *, restart: bool = False) -> list[FailedRun]:
    """Prepare, align, train and predict whatever of the study is not there yet.

    A run that fails leaves the others alone; what was finished before is left as it is.

    Returns:
        The runs that failed.

    Raises:
        InterruptedRunError: If the process was asked to stop; every run has saved its state.
    """
    prepared = prepare(study.project)
    if study.project.configuration.split.file and (said := shared_sites(prepared.site_overlap)):
        say(said)
    if isinstance(study.project.configuration.model, PatientConfig):
        # Once for all: runs side by side would each want to write it.
        freeze_knowledge(study.project)
    waiting = [
        (member, fold)
        for member in study.members
        for fold in study.project.folds
        if restart or not standing(study, member, fold)
    ]
    aligning: dict[Path, StudyTask] = {}
    for member, fold in waiting:
        if starts_aligned(member):
            project = aligning_project(study, member)
            folder = project.run_folder(PRETRAINING, fold)
            if restart or not _stands(Run(folder), project, ALIGNED):
                aligning.setdefault(folder, _task(project, PRETRAINING, fold, restart))
    failed = _each(study, "Aligning images and texts", list(aligning.values()))
    tasks = [
        replace(
            _task(member.project, member.variant, fold, restart),
            without=parts_removed(member, study.labels),
        )
        for member, fold in waiting
    ]
    return failed + _each(study, "Training", tasks)


def standing(study: Study, member: Member, fold: Fold) -> bool:
    """Whether a run is finished, has predicted, and was begun for what is asked now."""
    run = Run(member.project.run_folder(member.variant, fold))
    parts = parts_removed(member, study.labels)
    if not all(run.predictions_without(part).exists() for part in parts):
        return False
    decisive = ("protocol", "split") if baseline_name(member.variant) else PREDICTED
    return run.predictions.exists() and _stands(run, member.project, decisive)


def _stands(run: Run, project: Project, decisive: Sequence[str]) -> bool:
    """False also where it stands for something else: opening it then says what differs."""
    if not run.finished or not (run.folder / "config.yaml").exists():
        return False
    stored = yaml.safe_load((run.folder / "config.yaml").read_text(encoding="utf-8"))
    asked = project.configuration.as_values()
    identity = run.identity()
    same_data = identity.get("cohort") == project.cohort.fingerprint
    return same_data and not any(differences(stored.get(name), asked[name]) for name in decisive)


def collect(study: Study) -> Predictions:
    """All that the study's runs predict, in one table that is also written to its folder.

    Rows bear the entry's name as their variant, and its seed, repeat and fold; beside them stands
    whether the protocol samples by the outcome.

    Raises:
        DataError: If no run has predicted anything.
    """
    found: list[tuple[str, Predictions]] = []
    for member in study.members:
        for fold in study.project.folds:
            run = Run(member.project.run_folder(member.variant, fold))
            if run.predictions.exists():
                own = Predictions.read(run.predictions)
                table = own.table.with_columns(pl.lit(member.label).alias("variant"))
                found.append((run.name, replace(own, table=table)))
    if not found:
        raise DataError("no run of the study has predicted anything", hint="see the errors above")
    found += _ensembles(study, found)
    verdict = sampling_verdict(
        study.project.cohort, study.project.configuration.protocol, study.project.work
    )
    origin = common_provenance([one.provenance for _, one in found], [name for name, _ in found])
    predictions = Predictions(
        pl.concat([one.table for _, one in found], how="diagonal"),
        origin.evolve(sampling=Sampling(**verdict.as_json())),
    )
    predictions.write(study.folder / "predictions.parquet")
    return predictions


def _ensembles(
    study: Study, found: Sequence[tuple[str, Predictions]]
) -> list[tuple[str, Predictions]]:
    """The mean over the seeds of each entry that asks for it."""
    means = []
    for label in (entry.label for entry in study.entries if entry.ensemble):
        own = [one for _, one in found if (one.table["variant"] == label).all()]
        if len({seed for one in own for seed in one.table["seed"].unique()}) > 1:
            table = averaged([one.table for one in own], f"{label}{SUFFIX}")
            means.append((f"{label}{SUFFIX}", replace(own[0], table=table)))
    return means


def _task(project: Project, variant: str, fold: Fold, restart: bool) -> StudyTask:
    folder = project.run_folder(variant, fold)
    return StudyTask(
        cohort=project.cohort.folder,
        work=project.work,
        runs=folder.parent,
        names=tuple(project.names.items()),
        configuration=project.configuration.model_dump_json(),
        variant=variant,
        fold=fold,
        restart=restart,
        name=folder.name,
    )


def _each(study: Study, title: str, tasks: Sequence[StudyTask]) -> list[FailedRun]:
    if not tasks:
        return []
    machine = study.project.configuration.machine
    jobs = machine.jobs_for(len(tasks))
    ordered = sorted(tasks, key=lambda task: task.epochs, reverse=True)
    with stage(title, sum(task.epochs for task in tasks)) as progress:
        results = side_by_side(
            _attempt,
            ordered,
            jobs=jobs,
            threads=max(1, machine.cores // jobs) if machine.threads else 1,
            advance=progress,
            named=lambda task: task.name,
            running=progress.running,
        )
    return [result for result in results if result is not None]


def _attempt(task: StudyTask, advance: Advance) -> FailedRun | None:
    """Make a run; a failure is told, not raised, so that the others go on."""
    done = 0

    def tell(steps: int) -> None:
        nonlocal done
        done += steps
        advance(steps)

    try:
        _make(task, tell)
    except InterruptedRunError:
        raise
    except SequelaError as error:
        advance(task.epochs - done)
        return FailedRun(task.name, error.code, error.message, error.hint)
    return None


def _make(task: StudyTask, advance: Advance) -> None:
    project = _opened(task)
    if task.variant == PRETRAINING:
        pretrain(project, task.fold, advance, restart=task.restart)
        return
    run = train_one(project, task.variant, task.fold, advance, restart=task.restart)
    if not run.predictions.exists():
        predict(run, project)
    for part in task.without:
        if not run.predictions_without(part).exists():
            predict(run, project, without=part)


def _opened(task: StudyTask) -> Project:
    configuration = Configuration.model_validate_json(task.configuration)
    project = _read(task.cohort, task.work, configuration.protocol.model_dump_json())
    return replace(project, configuration=configuration, runs=task.runs, names=dict(task.names))


@lru_cache(maxsize=1)
def _read(cohort: Path, work: Path, protocol: str) -> Project:
    asked = ProtocolSettings.model_validate_json(protocol)
    return Project.open(cohort, work, Configuration(protocol=asked))
