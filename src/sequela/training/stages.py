"""The stages as the command line calls them: every run of a stage, with progress."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch

from sequela.errors import DataError, UsageError
from sequela.evaluation.predictions import Predictions
from sequela.models.baselines import BASELINES
from sequela.models.build import VARIANTS, LateFusionConfig, model_config
from sequela.models.late_fusion import MEMBERS
from sequela.models.removal import removable
from sequela.progress import Advance, stage
from sequela.training import processes
from sequela.training.baselines import baseline_name, train_baseline
from sequela.training.collection import collect_predictions
from sequela.training.configuration import Configuration
from sequela.training.language import pretrain_text
from sequela.training.late_fusion import train_late_fusion
from sequela.training.prediction import predict
from sequela.training.pretraining import pretrain
from sequela.training.project import Fold, Project
from sequela.training.run import Run, differences
from sequela.training.side_by_side import side_by_side
from sequela.training.supervision import train


@dataclass(frozen=True)
class Task:
    """One training, in words that another process understands."""

    folder: Path
    work: Path
    configuration: str
    variant: str
    fold: Fold
    restart: bool


def pretrain_all(
    project: Project, *, folds: Sequence[Fold] | None = None, restart: bool = False
) -> list[Run]:
    """Align image and text, once a fold; finished runs are left as they are.

    Args:
        project: Prepared.
        folds: All by default.
        restart: Throw away what stands in the runs' folders.
    """
    torch.set_num_threads(processes.threads(project.configuration.machine.cores))
    folds = folds or project.folds
    epochs = project.configuration.pretrain.epochs * len(folds)
    with stage("Aligning images and texts", epochs) as advance:
        return [pretrain(project, fold, advance, restart=restart) for fold in folds]


def pretrain_text_all(
    project: Project, *, folds: Sequence[Fold] | None = None, restart: bool = False
) -> list[Path]:
    """Train a tokenizer and a language model, once a fold; their folders.

    Args:
        project: Prepared.
        folds: All by default.
        restart: Throw away what stands in the runs' folders.
    """
    torch.set_num_threads(processes.threads(project.configuration.machine.cores))
    folds = folds or project.folds
    epochs = project.configuration.pretrain_text.epochs * len(folds)
    with stage("Training the language model", epochs) as advance:
        return [pretrain_text(project, fold, advance, restart=restart) for fold in folds]


def train_all(
    project: Project,
    variants: Sequence[str],
    *,
    folds: Sequence[Fold] | None = None,
    restart: bool = False,
) -> list[Run]:
    """Train variants and baselines on every fold, side by side where that is faster.

    Args:
        project: Prepared, and pre-trained where a variant starts from aligned encoders.
        variants: Names of variants and baselines.
        folds: All by default.
        restart: Throw away what stands in the runs' folders.

    Raises:
        UsageError: If a name is neither a variant nor a baseline.
    """
    require_known(variants)
    folds = folds or project.folds
    pairs = [(variant, fold) for variant in with_members(variants) for fold in folds]
    quick = [pair for pair in pairs if baseline_name(pair[0])]
    fused = [pair for pair in pairs if is_fusion(pair[0])]
    fitted = [pair for pair in pairs if pair not in quick and pair not in fused]
    slow = sorted(fitted, key=_cost, reverse=True)
    epochs = len(quick) + len(fused) + len(slow) * project.configuration.train.epochs
    with stage("Training", epochs) as advance:
        for name, fold in quick:
            processes.by_first(
                lambda name=name, fold=fold: train_one(  # type: ignore[misc]
                    project, name, fold, advance, restart=restart
                )
            )
        _train(project, slow, advance, restart=restart)
        for name, fold in fused:
            train_one(project, name, fold, advance, restart=restart)
    return [Run(project.run_folder(name, fold)) for name, fold in pairs]


def train_one(
    project: Project, name: str, fold: Fold, advance: Advance, *, restart: bool = False
) -> Run:
    """Train a variant, fit a baseline, or fuse runs that are trained."""
    if baseline := baseline_name(name):
        return train_baseline(project, baseline, fold, advance, restart=restart)
    if is_fusion(name):
        return train_late_fusion(project, name, fold, advance, restart=restart)
    return train(project, name, fold, advance, restart=restart)


def predict_all(
    project: Project, runs: Sequence[Run] | None = None, *, without: Sequence[str] = ()
) -> Predictions:
    """What every finished training run predicts, in one table in the work folder.

    Args:
        project: The cohort.
        runs: All by default.
        without: Parts to take away, one at a time, from every run that has them: each gives
            predictions of its own beside the whole model's.

    Raises:
        DataError: If no run is finished, or the runs do not answer one question.
        UsageError: If no run has one of the parts.
    """
    chosen = list(runs or trained_runs(project.work))
    if not chosen:
        raise DataError("no run is finished", hint="run `sequela train` first")
    less = [(run, part) for run in chosen for part in without if part in parts_of(run)]
    lacking = {*without} - {part for _, part in less}
    if lacking:
        names = sorted({part for run in chosen for part in parts_of(run)})
        raise UsageError(
            f"no finished run has a part {', '.join(sorted(lacking))} to take away",
            hint=f"they have {', '.join(names)}" if names else "only LUMIN's variants have parts",
        )
    with stage("Predicting", len(chosen) + len(less)) as advance:
        for run, part in [*((run, None) for run in chosen), *less]:
            predict(run, project, without=part)
            advance(1)
    return collect_predictions(project.work)


def predict_external(project: Project, folder: Path) -> Predictions:
    """What a run of another cohort predicts of every case here, in the work folder's table.

    Args:
        project: The other cohort, its images prepared by the run's pixel policy.
        folder: The run.

    Raises:
        UsageError: If the cases are selected by another protocol than the run's.
    """
    run = Run(folder)
    asked = project.configuration.protocol.model_dump(mode="json")
    if items := differences(run.metadata()["protocol"], asked, "protocol"):
        raise UsageError(
            f"run {run.name} predicts cases of another protocol",
            hint="leave --config away, so that the run's own configuration holds",
            items=items,
        )
    predictions = predict(run, project, external=True)
    predictions.write(project.work / "predictions.parquet")
    return predictions


def parts_of(run: Run) -> tuple[str, ...]:
    """The parts that can be taken from a finished run's model at inference."""
    stated = run.metadata().get("model")
    return () if stated is None else removable(model_config(stated))


def trained_runs(work: Path) -> list[Run]:
    """The finished runs that predict an outcome, by name."""
    runs = [Run(folder) for folder in sorted((work / "runs").glob("*")) if folder.is_dir()]
    return [run for run in runs if run.finished and run.identity()["stage"] == "train"]


def is_fusion(name: str) -> bool:
    """Whether a name is that of models trained apart and put together."""
    return isinstance(VARIANTS.get(name), LateFusionConfig)


def with_members(variants: Sequence[str]) -> tuple[str, ...]:
    """The names, each once, with the models that a late fusion puts together before it."""
    members = MEMBERS if any(map(is_fusion, variants)) else ()
    return tuple(dict.fromkeys([*members, *variants]))


def require_known(variants: Sequence[str]) -> None:
    """Refuse names that are neither variants nor baselines."""
    unknown = [name for name in variants if name not in VARIANTS and name not in BASELINES]
    if unknown or not variants:
        raise UsageError(
            f"there is no variant {', '.join(unknown)}" if unknown else "no variant is named",
            hint="`sequela list variants` names all of them",
        )


def _train(
    project: Project, pairs: Sequence[tuple[str, Fold]], advance: Advance, *, restart: bool
) -> None:
    machine = project.configuration.machine
    jobs = machine.jobs_for(len(pairs))
    if jobs < 2 or processes.count() > 1:
        torch.set_num_threads(processes.threads(machine.cores))
        for variant, fold in pairs:
            train(project, variant, fold, advance, restart=restart)
        return
    text = json.dumps(project.configuration.as_values(), sort_keys=True)
    tasks = [
        Task(project.cohort.folder, project.work, text, variant, fold, restart)
        for variant, fold in pairs
    ]
    threads = max(1, machine.cores // jobs)
    side_by_side(_train_task, tasks, jobs=jobs, threads=threads, advance=advance)


def _train_task(task: Task, advance: Advance) -> Path:
    project = _opened(task.folder, task.work, task.configuration)
    return train(project, task.variant, task.fold, advance, restart=task.restart).folder


@lru_cache(maxsize=1)
def _opened(folder: Path, work: Path, configuration: str) -> Project:
    return Project.open(folder, work, Configuration.model_validate_json(configuration))


def _cost(pair: tuple[str, Fold]) -> tuple[bool, int, int]:
    """Roughly how long a variant takes: images before texts, more exams before fewer."""
    config = VARIANTS[pair[0]]
    return config.image is not None, config.exams, len(config.modalities)
