"""Alignment of images and texts, before any outcome is seen (LUMIN's DMA)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Int

from sequela.errors import DataError, UsageError
from sequela.modalities.cases import ExamInputs
from sequela.modalities.text import joined
from sequela.models.build import LuminConfig
from sequela.models.contrastive import AlignmentModel
from sequela.progress import Advance
from sequela.training.configuration import ALIGNED
from sequela.training.fit_run import run_of
from sequela.training.fitting import PretrainSettings
from sequela.training.inputs import Sources, in_training, pair_inputs, require_modalities
from sequela.training.loop import Fit
from sequela.training.objectives import Alignment, Examples
from sequela.training.project import Fold, Project
from sequela.training.run import Purpose, Run
from sequela.training.sampling import keyed_seed

NAME = "pretrain"


@dataclass(frozen=True)
class Aligning:
    """A prepared pre-training: the task, and what its checkpoint says of itself."""

    task: Fit
    purpose: Purpose
    metadata: dict[str, Any]


def aligning(project: Project, fold: Fold) -> Aligning:
    """Everything up to the first step of pre-training.

    Raises:
        DataError: If the cohort lacks images or texts, or has too few exams with both.
    """
    configuration, settings = project.configuration, project.configuration.pretrain
    tokenizer = project.tokenizer(fold)
    sources = Sources(project.store, tokenizer, configuration.text)
    config = project.model(fold)
    if not isinstance(config, LuminConfig) or config.image is None or config.text is None:
        raise UsageError(
            "pre-training reads image and text; the cohort or the model section leaves one out",
            hint="give both model.image and model.text, or leave out pre-training",
        )
    require_modalities(config, sources, "pre-training")
    torch.manual_seed(keyed_seed(settings.seed))
    model = AlignmentModel(config.image, config.text, config.dim)
    objective, inputs = _alignment(project, fold, sources, settings)
    identity = {
        "stage": "pretrain",
        **vars(fold),
        **project.fingerprints(tokenizer),
    }
    metadata = {"model": config.portable().model_dump(mode="json"), **identity}
    if not settings.strict_val:
        settings = settings.evolve(select="last")
    task = Fit(
        model,
        objective,
        in_training(inputs, settings),
        inputs,
        settings,
        configuration.machine,
    )
    return Aligning(task, Purpose(configuration.as_values(), ALIGNED, identity), metadata)


def pretrain(
    project: Project, fold: Fold, advance: Advance = lambda _: None, *, restart: bool = False
) -> Run:
    """Align image and text of training patients' exams; a finished run is left as it is.

    Args:
        project: Prepared.
        fold: Whose training patients.
        advance: Told of epochs.
        restart: Throw away what stands in the run's folder.
    """
    prepared = aligning(project, fold)
    folder = project.run_folder(NAME, fold)
    return run_of(
        folder, prepared.purpose, prepared.task, prepared.metadata, advance, restart=restart
    )


def _alignment(
    project: Project, fold: Fold, sources: Sources, settings: PretrainSettings
) -> tuple[Alignment, ExamInputs]:
    train, validation = (project.patients(part, fold) for part in ("train", "validation"))
    inputs = pair_inputs(project, train | validation, sources)
    held_out = np.array([patient in validation for patient in inputs.patients], dtype=bool)
    learnt = ~held_out if settings.strict_val else np.ones(len(inputs), dtype=bool)
    judging = held_out & ~learnt
    for part, rows, needed in (
        ("training", learnt, True),
        ("validation", judging, settings.strict_val and settings.select != "last"),
    ):
        patients = {inputs.patients[row] for row in np.flatnonzero(rows)}
        if needed and len(patients) < 2:
            raise DataError(
                f"alignment contrasts patients: {len(patients)} {part} patient(s) have an exam "
                "with both images and a text, 2 are needed",
                hint="check exam_id in the texts table, or leave out pre-training: "
                "train lumin-without-pretraining",
            )
    examples = Examples(
        np.flatnonzero(learnt), np.flatnonzero(judging), settings.batch, settings.seed
    )
    return Alignment(inputs.patients, _numbered_texts(inputs), examples), inputs


def _numbered_texts(inputs: ExamInputs) -> Int[np.ndarray, " pair"]:
    """The text of each exam by a number; exams whose tokens are equal have the same one."""
    tokens = [inputs.texts.ids[joined(pair.exams[0].texts)].tobytes() for pair in inputs.pairs]
    numbers = {text: number for number, text in enumerate(dict.fromkeys(tokens))}
    return np.array([numbers[text] for text in tokens])
