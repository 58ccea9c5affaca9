"""What trained runs predict, as the table that evaluation reads."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import torch
from torch import nn

from sequela.cohort.patient import Case
from sequela.errors import DataError, UsageError
from sequela.evaluation.predictions import (
    SCHEMA,
    Predictions,
    Provenance,
    incidence_column,
    survival_column,
)
from sequela.modalities.clinical import ClinicalScaler
from sequela.modalities.text import TextSettings
from sequela.models.build import ModelConfig, PatientConfig, build_model, model_config
from sequela.models.heads import (
    AdditiveHazardHead,
    BinaryHead,
    Head,
    head_from_state,
    incidence_of_rivals,
)
from sequela.models.removal import minus, removed
from sequela.seal import seal, unseal
from sequela.survival.followup import Followup
from sequela.training.answers import Answers, half_yearly_grid
from sequela.training.baselines import FAMILY, baseline_answers
from sequela.training.checkpoint import read_tensors
from sequela.training.fitting import MachineSettings
from sequela.training.inputs import ClinicalSource, Sources, case_inputs, require_modalities
from sequela.training.loading import Inputs, read_ahead
from sequela.training.patient_sources import kept_sources, said_empty
from sequela.training.project import Fold, Project
from sequela.training.run import Run
from sequela.training.sampling import Rows, ordered_batches
from sequela.training.vocabulary import kept_tokenizer

_BATCH = 16


@dataclass(frozen=True)
class Trained:
    """A run's model as it was kept, with all that using it needs.

    Attributes:
        model: In evaluation mode.
        config: What was built.
        head: What its logits say.
        tokenizer: None where it reads no texts.
        text: How texts become tokens.
        metadata: All that the checkpoint says.
    """

    model: nn.Module
    config: ModelConfig
    head: Head
    tokenizer: Any
    text: TextSettings
    metadata: dict[str, Any]


def load_trained(run: Run, device: torch.device | None = None) -> Trained:
    """The model that a finished run kept.

    Raises:
        DataError: If nothing has been trained there, or a version that drew the model otherwise
            did.
        LockedError: If its tokenizer was exchanged.
    """
    tensors, metadata = read_tensors(run.checkpoint)
    head = head_from_state(metadata["head"])
    config = model_config(metadata["model"])
    model = build_model(config, head.logits, initial_weights=False)
    if {n: t.shape for n, t in model.state_dict().items()} != {
        n: t.shape for n, t in tensors.items()
    }:
        raise DataError(
            f"the weights of {run.name} are of another drawing of {metadata['variant']}: it was "
            "trained by another version of Sequela",
            hint="train it again, with --restart",
        )
    model.load_state_dict(tensors)
    return Trained(
        model.to(device or torch.device("cpu")).eval(),
        config,
        head,
        kept_tokenizer(run, metadata["tokenizer"]),
        TextSettings.model_validate(metadata["text"]),
        metadata,
    )


def survival_grid(head: Head) -> tuple[float, ...]:
    """Every half year and the last day; of a head that knows nothing between, its own days."""
    apart = isinstance(head, BinaryHead | AdditiveHazardHead)
    return head.grid if apart else half_yearly_grid(max(head.grid))


def answers(
    trained: Trained, cases: Sequence[Case], sources: Sources, machine: MachineSettings
) -> Answers:
    """Risk and survival of cases, whoever's they are."""
    return answers_of(trained, case_inputs(cases, trained.config, sources), machine)


def answers_of(trained: Trained, inputs: Inputs, machine: MachineSettings) -> Answers:
    """Risk and survival of all examples."""
    device = next(trained.model.parameters()).device
    logits = []
    batches = ordered_batches(np.arange(len(inputs)), _BATCH)
    with torch.no_grad():
        for _, batch in read_ahead(inputs, batches, machine.workers):
            logits.append(trained.model(batch.to(device)).logits.double().cpu())
    joined = torch.cat(logits)
    times = survival_grid(trained.head)
    rivals = incidence_of_rivals(trained.head, joined, times)
    return Answers(
        trained.head.risk(joined).numpy(),
        times,
        trained.head.survival(joined, times).numpy(),
        {cause: incidence.numpy() for cause, incidence in rivals.items()},
    )


def predict(
    run: Run, project: Project, *, external: bool = False, without: str | None = None
) -> Predictions:
    """What a run predicts, also written to its folder unless the cohort is another one.

    Args:
        run: A finished run.
        project: The cohort it was trained on, or with `external` any other.
        external: Predict every case; otherwise validation and test patients of the run's fold,
            the former because thresholds come from them.
        without: A part of the trained model to take away (`models.removal`): the predictions are
            then a variant's of their own, in a file of their own.

    Raises:
        UsageError: If the model has no such part.
        DataError: If the run is not finished, or the cohort lacks what the model reads.
        LockedError: If images were prepared by another pixel policy than the run's.
    """
    if not run.finished:
        raise DataError(
            f"run {run.name} is not finished", hint="run `sequela train` again: it goes on"
        )
    metadata = run.metadata()
    rows = _rows(project, metadata, external=external)
    chosen = np.concatenate([part for _, part in rows])
    cases = [project.selection.cases[row] for row in chosen]
    said = _said(run, metadata, cases, project, without, external=external)
    parts = [name for name, part in rows for _ in part]
    followup = project.selection.followup[chosen]
    named = (
        metadata
        if without is None
        else {**metadata, "variant": minus(metadata["variant"], without)}
    )
    table = prediction_table(named, cases, parts, followup, said)
    predictions = Predictions(table, provenance(metadata, project, external=external))
    if not external:
        file = run.predictions if without is None else run.predictions_without(without)
        unseal(run.folder, file.name)
        predictions.write(file)
        seal(run.folder)
    return predictions


def _said(
    run: Run,
    metadata: dict[str, Any],
    cases: Sequence[Case],
    project: Project,
    without: str | None,
    *,
    external: bool,
) -> Answers:
    if metadata["family"] == FAMILY:
        if without is not None:
            raise UsageError(f"{metadata['variant']} is a baseline: it has no part {without}")
        return baseline_answers(metadata, cases, project)
    machine = project.configuration.machine
    trained = load_trained(run, machine.torch_device())
    if isinstance(trained.config, PatientConfig):
        patients = [case.patient_id for case in cases]
        inputs = kept_sources(project, metadata).inputs(patients, trained.config, without)
        if external and without is None:  # of its own cohort training has said it
            said_empty(inputs, trained.config, metadata["variant"])
        return answers_of(trained, inputs, machine)
    sources = sources_of(project, trained)
    with nullcontext() if without is None else removed(trained.model, without):
        return answers(trained, cases, sources, machine)


def sources_of(project: Project, trained: Trained) -> Sources:
    """What the project has of what a trained model reads.

    Raises:
        DataError: If it has nothing of it.
        LockedError: If images were prepared by another pixel policy than the model's.
    """
    store = project.prepared if trained.config.image else None
    if store is not None:
        store.require_policy(trained.metadata["pixels"])
    tokenizer = trained.tokenizer if project.has_texts else None
    stated, clinical = trained.metadata.get("clinical"), None
    if stated is not None:
        clinical = ClinicalSource(project.cohort.covariates, ClinicalScaler.from_state(stated))
    sources = Sources(store, tokenizer, trained.text, clinical)
    require_modalities(trained.config, sources, f"variant {trained.metadata['variant']}")
    return sources


def _rows(project: Project, metadata: dict[str, Any], *, external: bool) -> list[tuple[str, Rows]]:
    if external:
        return [("external", np.arange(len(project.selection.cases)))]
    fold = Fold(metadata["repeat"], metadata["fold"])
    return [(part, project.rows(part, fold)) for part in ("validation", "test")]


def prediction_table(
    metadata: dict[str, Any],
    cases: Sequence[Case],
    parts: Sequence[str],
    followup: Followup,
    said: Answers,
) -> pl.DataFrame:
    """The rows of `predictions.parquet`.

    Args:
        metadata: Of the checkpoint.
        cases: Whose predictions they are.
        parts: The split of each case.
        followup: What became of each.
        said: What the model says of each.
    """
    constants = {
        "model": metadata["family"],
        "variant": metadata["variant"],
        "endpoint": metadata["protocol"]["endpoint"],
        **{name: metadata[name] for name in ("repeat", "fold", "seed")},
    }
    columns = {
        "split": list(parts),
        "patient_id": [case.patient_id for case in cases],
        "landmark": [case.landmark for case in cases],
        "entry": [None] * len(cases) if followup.entry is None else followup.entry,
        **_known(followup),
        "risk": said.risk,
        **{survival_column(t): said.survival[:, i] for i, t in enumerate(said.times)},
        **{
            incidence_column(cause, t): incidence[:, i]
            for cause, incidence in said.rivals.items()
            for i, t in enumerate(said.times)
        },
    }
    table = pl.DataFrame(columns).with_columns(
        [pl.lit(value).alias(name) for name, value in constants.items()]
    )
    curves = [name for name in columns if name.startswith(("survival_", "incidence_"))]
    return table.select(
        [pl.col(name).cast(kind) for name, kind in SCHEMA.items()] + [pl.col(c) for c in curves]
    )


def _known(followup: Followup) -> dict[str, pl.Series]:
    """Time and event; null where nobody knows what became of the patient."""
    ended = pl.Series(np.isfinite(followup.time))
    columns = {"time": pl.Series(followup.time), "event": pl.Series(followup.event)}
    return {name: values.set(~ended, None) for name, values in columns.items()}


def provenance(metadata: dict[str, Any], project: Project, *, external: bool) -> Provenance:
    """Where the predictions come from."""
    return Provenance(
        protocol=metadata["protocol"]["name"],
        cause=metadata["cause"],
        horizon=metadata["horizon"],
        epoch_chosen_on=metadata["epoch_chosen_on"],
        cohort=project.cohort.fingerprint,
        splits="" if external else metadata["splits"],
        configuration=metadata["configuration"],
        synthetic=project.cohort.manifest.synthetic,
    )
