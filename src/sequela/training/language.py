"""A tokenizer and a language model of the training patients' own notes, as a text encoder."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sequela.errors import DataError
from sequela.modalities.masking import MaskedTexts, windows
from sequela.modalities.shared_words import only_words, shared_words
from sequela.modalities.text import SPECIAL, train_tokenizer
from sequela.models.language import LanguageModel, LanguageModelConfig
from sequela.progress import Advance
from sequela.storage import atomic_folder, fingerprint
from sequela.training import processes
from sequela.training.checkpoint import read_tensors
from sequela.training.fit_run import run_of
from sequela.training.loop import Fit
from sequela.training.objectives import Examples, MaskedLanguage
from sequela.training.project import OWN, PROVENANCE, Fold, Project
from sequela.training.run import Purpose, Run, environment
from sequela.training.sampling import keyed_seed
from sequela.training.vocabulary import tokenizer_fingerprint

NAME = "pretrain-text"


@dataclass(frozen=True)
class Reading:
    """A prepared language model: the task, and what its checkpoint says of itself."""

    task: Fit
    purpose: Purpose
    metadata: dict[str, Any]
    tokenizer: Any


def notes(project: Project, part: str, fold: Fold) -> list[str]:
    """Every text of one part's patients, whatever exam it belongs to, each different one once."""
    return list(dict.fromkeys(text for _, text in _written(project, part, fold)))


def vocabulary_texts(project: Project, fold: Fold) -> list[str]:
    """The notes of the fold's training patients, in words that several of them share."""
    texts = _written(project, "train", fold)
    words = shared_words(texts)
    return list(dict.fromkeys(only_words(text, words) for _, text in texts))


def _written(project: Project, part: str, fold: Fold) -> list[tuple[str, str]]:
    """Patient and text of every note that is not empty."""
    patients = [project.cohort.patient(name) for name in sorted(project.patients(part, fold))]
    return [
        (patient.patient_id, text.text)
        for patient in patients
        for text in (*patient.texts, *(text for exam in patient.exams for text in exam.texts))
        if text.text.strip()
    ]


def reading(project: Project, fold: Fold) -> Reading:
    """Everything up to the first step of the language model.

    Raises:
        DataError: If training patients have no text.
    """
    configuration, settings = project.configuration, project.configuration.pretrain_text
    train = notes(project, "train", fold)
    if not train:
        raise DataError(
            "a language model learns from notes, and the training patients have none",
            hint="add a texts table to the cohort, or use a published text.encoder",
        )
    seen = set(train)
    unseen = [text for text in notes(project, "validation", fold) if text not in seen]
    tokenizer = train_tokenizer(vocabulary_texts(project, fold), settings.vocabulary)
    parts = [
        [window for text in texts for window in windows(text, tokenizer, settings.tokens)]
        for texts in (train, unseen)
    ]
    count = len(parts[0])
    examples = Examples(
        np.arange(count), count + np.arange(len(parts[1])), settings.batch, settings.seed
    )
    config = LanguageModelConfig(
        vocabulary=len(tokenizer),
        special=(tokenizer.pad_token_id, tokenizer.bos_token_id, tokenizer.eos_token_id),
        **settings.model_dump(include={"layers", "dim", "heads", "tokens", "dropout"}),
    )
    torch.manual_seed(keyed_seed(settings.seed))
    words = range(len(set(SPECIAL.values())), len(tokenizer))
    inputs = MaskedTexts(
        [*parts[0], *parts[1]], tokenizer.mask_token_id, words, settings.masked, settings.seed
    )
    task = Fit(
        LanguageModel(config),
        MaskedLanguage(examples),
        inputs,
        inputs,
        settings,
        configuration.machine,
    )
    identity = {
        "stage": NAME,
        **vars(fold),
        "cohort": project.cohort.fingerprint,
        "splits": project.splits.fingerprint,
        "tokenizer": tokenizer_fingerprint(tokenizer),
    }
    metadata = {
        **identity,
        "model": config.model_dump(mode="json"),
        "texts": len(train),
        "patients": len(project.patients("train", fold)),
        "tokens": int(sum(map(len, parts[0]))),
        "synthetic": project.cohort.manifest.synthetic,
    }
    purpose = Purpose(configuration.as_values(), ("split", "pretrain_text"), identity)
    return Reading(task, purpose, metadata, tokenizer)


def pretrain_text(
    project: Project, fold: Fold, advance: Advance = lambda _: None, *, restart: bool = False
) -> Path:
    """Train a tokenizer and a language model; the folder with both, in Hugging Face form.

    Args:
        project: Prepared.
        fold: Whose training patients.
        advance: Told of epochs.
        restart: Throw away what stands in the run's folder.
    """
    prepared = reading(project, fold)
    run = run_of(
        project.run_folder(NAME, fold),
        prepared.purpose,
        prepared.task,
        prepared.metadata,
        advance,
        tokenizer=prepared.tokenizer,
        restart=restart,
    )
    folder = project.work / project.name(OWN, fold)
    processes.by_first(lambda: _export(run, prepared.tokenizer, folder))
    return folder


def _export(run: Run, tokenizer: Any, folder: Path) -> None:
    """Write the kept weights as Hugging Face reads them, and where they come from."""
    checkpoint = fingerprint(run.checkpoint)
    told = folder / PROVENANCE
    if told.exists() and json.loads(told.read_text())["checkpoint"] == checkpoint:
        return
    tensors, metadata = read_tensors(run.checkpoint)
    model = LanguageModel(LanguageModelConfig.model_validate(metadata["model"]))
    model.load_state_dict(tensors)
    facts = {**metadata, "checkpoint": checkpoint, "environment": environment()}
    with atomic_folder(folder) as temporary:
        temporary.mkdir(parents=True, exist_ok=True)
        model.network.save_pretrained(temporary)
        tokenizer.save_pretrained(temporary)
        (temporary / PROVENANCE).write_text(json.dumps(facts, indent=2, sort_keys=True) + "\n")
