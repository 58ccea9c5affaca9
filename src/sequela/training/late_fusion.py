"""Late fusion as a run: two finished runs, put together on validation patients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sequela.errors import DataError, LockedError
from sequela.modalities.batch import Batch
from sequela.models.heads import completed
from sequela.models.late_fusion import MEMBERS, STACKED, LateFusion, LateFusionConfig
from sequela.models.lumin import LuminConfig
from sequela.progress import Advance, console
from sequela.storage import fingerprint
from sequela.training.checkpoint import write_tensors
from sequela.training.configuration import PREDICTED
from sequela.training.inputs import case_inputs
from sequela.training.loading import read_ahead
from sequela.training.prediction import Trained, load_trained, sources_of
from sequela.training.project import Fold, Project
from sequela.training.run import Purpose, Run, opened_run
from sequela.training.sampling import Rows, ordered_batches
from sequela.training.supervision import supervised
from sequela.training.vocabulary import keep_tokenizer

_BATCH = 16
Members = tuple[Trained, Trained]


def train_late_fusion(
    project: Project, name: str, fold: Fold, advance: Advance, *, restart: bool = False
) -> Run:
    """Fuse the fold's image and text models; a finished run is left as it is.

    Args:
        project: With both members trained.
        name: `late-fusion` or `late-fusion-stacked`.
        fold: Whose validation patients weigh the members.
        advance: Told when it is done.
        restart: Throw away what stands in the run's folder.

    Raises:
        DataError: If a member is not trained.
        LockedError: If the members were trained by different configurations.
    """
    runs = [Run(project.run_folder(member, fold)) for member in MEMBERS]
    members = _members(runs, project)
    identity = {
        "stage": "train",
        "variant": name,
        **vars(fold),
        **project.fingerprints(members[1].tokenizer),
        "members": [fingerprint(run.checkpoint) for run in runs],
    }
    purpose = Purpose(project.configuration.as_values(), PREDICTED, identity)
    with opened_run(project.run_folder(name, fold), purpose, restart=restart) as run:
        if run.finished:
            console.print(f"{run.name} is finished already", highlight=False)
        else:
            keep_tokenizer(members[1].tokenizer, run)
            _fuse(run, members, project, fold, identity)
    advance(1)
    return run


def _members(runs: Sequence[Run], project: Project) -> Members:
    lacking = [run.name for run in runs if not run.finished]
    if lacking:
        raise DataError(
            f"late fusion joins finished runs, and {' and '.join(lacking)} are not",
            hint=f"run `sequela train` with {' and '.join(MEMBERS)} first",
        )
    images, texts = (
        load_trained(run, project.configuration.machine.torch_device()) for run in runs
    )
    if images.metadata["configuration"] != texts.metadata["configuration"]:
        raise LockedError(
            "the two models of a late fusion were trained by different configurations",
            hint=f"train {' and '.join(MEMBERS)} again with --restart",
        )
    return images, texts


def _fuse(
    run: Run, members: Members, project: Project, fold: Fold, identity: dict[str, Any]
) -> None:
    images, texts = members
    if not isinstance(images.config, LuminConfig) or not isinstance(texts.config, LuminConfig):
        raise TypeError("the members of a late fusion are variants of LUMIN")
    stacked = identity["variant"] == STACKED
    config = LateFusionConfig(of_images=images.config, of_texts=texts.config, stacked=stacked)
    model = LateFusion(config, images.head.logits, initial_weights=False)
    model.of_images.load_state_dict(images.model.state_dict())
    model.of_texts.load_state_dict(texts.model.state_dict())
    told = {
        **{name: texts.metadata[name] for name in _ALIKE},
        **identity,
        "family": config.family,
        "model": config.portable().model_dump(mode="json"),
        "pixels": images.metadata["pixels"],
    }
    device = project.configuration.machine.torch_device()
    fused = Trained(model.to(device).eval(), config, images.head, texts.tokenizer, texts.text, told)
    objective = supervised(project, config, fold)
    head, rows = objective.head, objective.examples
    if stacked:
        said = _said(fused, project, rows.validation, model.apart)
        followup = objective.followup[rows.validation]
        model.stack(lambda logits: head.loss(logits, followup), *said)

    def final() -> Float[Tensor, "patient logit"]:
        return _said(fused, project, rows.train, lambda batch: (model(batch).logits,))[0]

    told["head"] = completed(head, final, objective.followup[rows.train]).state()
    told["weights"] = [round(weight, 6) for weight in model.weights.tolist()]
    write_tensors(run.checkpoint, model.state_dict(), told)


_ALIKE = (
    *("protocol", "images", "text", "cause", "horizon", "seed", "configuration", "synthetic"),
    *("clinical", "truncated_texts", "epoch_chosen_on"),
)


def _said(
    fused: Trained, project: Project, rows: Rows, say: Callable[[Batch], tuple[Tensor, ...]]
) -> tuple[Tensor, ...]:
    """What is said of each batch of some cases, joined."""
    cases = [project.selection.cases[row] for row in rows]
    inputs = case_inputs(cases, fused.config, sources_of(project, fused))
    batches = ordered_batches(np.arange(len(cases)), _BATCH)
    device, workers = next(fused.model.parameters()).device, project.configuration.machine.workers
    with torch.no_grad():
        found = [say(batch.to(device)) for _, batch in read_ahead(inputs, batches, workers)]
    return tuple(torch.cat(column) for column in zip(*found, strict=True))
