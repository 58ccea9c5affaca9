"""Training of a variant on what became of patients."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import torch
from torch import nn

from sequela.errors import DataError
from sequela.models.build import ModelConfig, PatientConfig, build_model
from sequela.models.build import variant as variant_of
from sequela.models.contrastive import load_aligned
from sequela.models.heads import Head, fit_head, head_warning
from sequela.models.kemm import Kemm
from sequela.models.mmp import SAMPLED, Mmp
from sequela.progress import Advance, say
from sequela.storage import fingerprint
from sequela.training.checkpoint import read_tensors
from sequela.training.configuration import PREDICTED
from sequela.training.fit_run import run_of
from sequela.training.fitting import TrainSettings
from sequela.training.inputs import (
    ClinicalSource,
    Sources,
    case_inputs,
    in_training,
    require_modalities,
    with_covariates,
)
from sequela.training.judgement import require_both
from sequela.training.loop import Fit
from sequela.training.objectives import Examples, Supervised
from sequela.training.patient_sources import fitted_sources, said_empty
from sequela.training.pretraining import NAME as PRETRAINING
from sequela.training.project import Fold, Project
from sequela.training.run import Purpose, Run
from sequela.training.sampling import keyed_seed


@dataclass(frozen=True)
class Training:
    """A prepared training: the task, and what its checkpoint says of itself."""

    task: Fit
    purpose: Purpose
    metadata: dict[str, Any]
    tokenizer: Any


def training(project: Project, variant: str, fold: Fold) -> Training:
    """Everything up to the first step of training.

    Raises:
        DataError: If the cohort lacks what the variant reads, a part lacks patients with or
            without the event, or the alignment that it starts from has not been done.
    """
    configuration, settings = project.configuration, project.configuration.train
    config = variant_of(variant, project.model(fold))
    if isinstance(config, PatientConfig):
        return _of_patients(project, variant, config, fold)
    tokenizer = project.tokenizer(fold) if config.text is not None else None
    clinical = ClinicalSource.fit(project, fold) if config.clinical else None
    config = with_covariates(config, clinical)
    store = project.store if config.image else None
    sources = Sources(store, tokenizer, configuration.text, clinical)
    require_modalities(config, sources, f"variant {variant}")
    objective = supervised(project, config, fold)
    aligned = _aligned_run(project, fold) if config.pretrained_alignment else None
    identity = {
        "stage": "train",
        "variant": variant,
        **vars(fold),
        **project.fingerprints(tokenizer),
        "alignment": fingerprint(aligned.checkpoint) if aligned else None,
    }
    if config.image is None:
        identity |= {"pixels": None, "images": None}
    inputs = case_inputs(project.selection.cases, config, sources)
    metadata = {
        **identity,
        "family": config.family,
        "model": config.portable().model_dump(mode="json"),
        "head": objective.head.state(),
        "clinical": clinical.scaler.state() if clinical else None,
        "truncated_texts": inputs.texts.truncated if inputs.texts else None,
        **described(project),
    }
    task = Fit(
        _fresh(config, objective.head, settings, aligned),
        objective,
        in_training(inputs, settings),
        inputs,
        settings,
        configuration.machine,
    )
    purpose = Purpose(configuration.as_values(), PREDICTED, identity)
    return Training(task, purpose, metadata, tokenizer)


def _of_patients(project: Project, variant: str, config: PatientConfig, fold: Fold) -> Training:
    """The same for a model of patients who are seen once."""
    settings, configuration = project.configuration.train, project.configuration
    objective = supervised(project, config, fold)
    rows = objective.examples.train
    patients = [case.patient_id for case in project.selection.cases]
    sources = fitted_sources(project, [patients[row] for row in rows])
    config = sources.resolved(config)
    inputs = sources.inputs(patients, config)
    identity = {
        "stage": "train",
        "variant": variant,
        **vars(fold),
        **project.fingerprints(None),
        "knowledge": sources.knowledge.fingerprint if sources.knowledge else None,
        "slides": sources.slides,
    }
    metadata = {
        **identity,
        "family": config.family,
        "model": config.model_dump(mode="json"),
        "head": objective.head.state(),
        "patients": sources.scalers.state(),
        "patients_with_nothing": said_empty(inputs, config, variant),
        **described(project),
    }
    torch.manual_seed(keyed_seed(settings.seed))
    model = build_model(config, objective.head.logits)
    if isinstance(model, Kemm):
        whole = replace(inputs, bags=None).batch(rows)
        model.start(whole, objective.followup[rows], objective.head, project.target.cause)
    if isinstance(model, Mmp):
        model.start(inputs.sampled(SAMPLED, settings.seed).batch(rows))
    seen = inputs.sampled(configuration.slides.most, settings.seed)
    task = Fit(model, objective, seen, inputs, settings, configuration.machine)
    purpose = Purpose(configuration.as_values(), PREDICTED, identity)
    return Training(task, purpose, metadata, None)


def train(
    project: Project,
    variant: str,
    fold: Fold,
    advance: Advance = lambda _: None,
    *,
    restart: bool = False,
) -> Run:
    """Train a variant; a finished run is left as it is.

    Args:
        project: Prepared, and pre-trained if the variant starts from aligned encoders.
        variant: One of `models.build.VARIANTS`.
        fold: Whose training patients.
        advance: Told of epochs.
        restart: Throw away what stands in the run's folder.
    """
    prepared = training(project, variant, fold)
    return run_of(
        project.run_folder(variant, fold),
        prepared.purpose,
        prepared.task,
        prepared.metadata,
        advance,
        tokenizer=prepared.tokenizer,
        restart=restart,
    )


def described(project: Project) -> dict[str, Any]:
    """What every checkpoint says of where it comes from, in values that JSON holds."""
    configuration, target = project.configuration, project.target
    return {
        "protocol": configuration.protocol.model_dump(mode="json"),
        "images": configuration.images.model_dump(mode="json"),
        "text": configuration.text.model_dump(mode="json"),
        "cause": target.cause,
        "horizon": target.horizon,
        "seed": configuration.train.seed,
        "configuration": configuration.fingerprint,
        "synthetic": project.cohort.manifest.synthetic,
    }


def require_outcomes(project: Project, fold: Fold, parts: tuple[str, ...]) -> None:
    """Refuse a fold in which a part lacks patients with or without the event."""
    for part in parts:
        followup = project.selection.followup[project.rows(part, fold)]
        where = f" of repeat {fold.repeat}, fold {fold.fold}" if len(project.folds) > 1 else ""
        require_both(followup, project.target, f"{part} patients{where}")


def supervised(project: Project, config: ModelConfig, fold: Fold) -> Supervised:
    """What a model is trained to predict, with a head fitted on the fold's training patients."""
    settings = project.configuration.train
    parts = ("train",) if settings.select == "last" else ("train", "validation")
    require_outcomes(project, fold, parts)
    followup, target = project.selection.followup, project.target
    rows, asked = project.rows("train", fold), config.head or project.configuration.head
    head = fit_head(asked, followup[rows], target.horizon, target.cause)
    _warn(head_warning(asked))
    examples = Examples(rows, project.rows("validation", fold), settings.batch, settings.seed)
    return Supervised(head, followup, target, examples)


@cache
def _warn(told: str | None) -> None:
    """Once a process, however many folds and seeds it trains."""
    if told is not None:
        say(told)


def _aligned_run(project: Project, fold: Fold) -> Run:
    run = Run(project.run_folder(PRETRAINING, fold))
    if not run.finished:
        raise DataError(
            "the variant starts from aligned encoders, and the alignment is not finished",
            hint="run `sequela pretrain` first, or train lumin-without-pretraining",
        )
    return run


def _fresh(
    config: ModelConfig, head: Head, settings: TrainSettings, aligned: Run | None
) -> nn.Module:
    torch.manual_seed(keyed_seed(settings.seed))
    model = build_model(config, head.logits)
    if aligned is not None:
        load_aligned(model, read_tensors(aligned.checkpoint)[0])
    return model
