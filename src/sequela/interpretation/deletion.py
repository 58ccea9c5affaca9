"""Is what claims look at what moves the risk? Delete it, and delete as much of something else.

The deletion test of saliency maps (Samek et al., IEEE TNNLS 2017; Petsiuk et al., BMVC 2018) for
attention: a faithful map names patches, or gene sets, whose loss moves the prediction more than
that of as many others. The control asks whether training made the map so: in it the order comes
from the same model with its weights shuffled, the prediction still from the trained one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from sequela.interpretation.claim_maps import claim_maps, mean_weights
from sequela.interpretation.intervals import mean
from sequela.interpretation.patient_portrait import PatientSubject
from sequela.interpretation.risk_score import risk_score
from sequela.interpretation.sanity import shuffled
from sequela.modalities.batch import Batch
from sequela.models.kemm import Kemm
from sequela.progress import stage

SHARES = (0.1, 0.3)
"""Of the patches or gene sets that are deleted, at least one."""
ORDERS = ("most", "random", "least", "shuffled")
_DRAWS = 5
_SEED = 20181


def deletion_test(subject: PatientSubject, rows: Sequence[int]) -> list[dict[str, Any]]:
    """How far the score moves when what is looked at is deleted, and when other things are.

    Args:
        subject: The model and its patients.
        rows: Whom to ask.

    Returns:
        One entry a source and share: how many `patients`, the mean change of the score, either
        way, when the `most` attended, as many at `random` (the mean of some draws), the `least`
        attended, and those most attended by `shuffled` weights are deleted; and paired differences
        `beyond_random`, `beyond_least` and `beyond_shuffled`. Empty where no claim looks at
        anything.
    """
    control = shuffled(subject.model)
    changes: dict[tuple[str, float], list[list[float]]] = {}
    whose: dict[tuple[str, float], list[str]] = {}
    with stage("Deleting what is looked at", len(rows)) as advance:
        for row in rows:
            for key, changed in _changes(subject, control, row).items():
                changes.setdefault(key, []).append(changed)
                whose.setdefault(key, []).append(subject.cases[row].patient_id)
            advance(1)
    return [
        _entry(source, share, np.array(found), whose[source, share])
        for (source, share), found in changes.items()
    ]


def _changes(
    subject: PatientSubject, control: nn.Module, row: int
) -> dict[tuple[str, float], list[float]]:
    """Of one patient, the change of the score by source and share, an entry an order."""
    seen, claims = subject.seen(row), subject.claims(row)
    looked, by_chance = (
        mean_weights(claim_maps(model, seen, claims)) for model in (subject.model, control)
    )
    whole, found = _score(subject, seen), {}
    for source, weights in looked.items():
        there = seen.measured(source)[1][0] if source == "slide" else None
        places = np.arange(len(weights)) if there is None else there.cpu().numpy().nonzero()[0]
        generator = np.random.default_rng((_SEED, row))
        for share in SHARES:
            count = max(1, round(share * len(places)))
            if 2 * count > len(places):
                continue
            order = places[np.argsort(-weights[places], kind="stable")]
            other = places[np.argsort(-by_chance[source][places], kind="stable")]
            draws = [generator.permutation(places)[:count] for _ in range(_DRAWS)]
            groups = ([order[:count]], draws, [order[-count:]], [other[:count]])
            found[source, share] = [
                float(np.mean([abs(_score(subject, seen, source, one) - whole) for one in group]))
                for group in groups
            ]
    return found


def _score(
    subject: PatientSubject,
    seen: Batch,
    source: str = "",
    deleted: Int[np.ndarray, " _"] | None = None,
) -> float:
    """The score without some patches, or without some gene sets where the network reads them."""
    hidden: Any = nullcontext()
    if deleted is not None and source == "slide" and seen.patch_mask is not None:
        mask = seen.patch_mask.clone()
        mask[0, torch.from_numpy(deleted).to(mask.device)] = False
        seen = replace(seen, patch_mask=mask)
    elif deleted is not None:
        hidden = without_sets(subject.model, source, deleted)
    with hidden, torch.no_grad():
        return float(risk_score(subject.head)(subject.model(seen).logits.double())[0])


@contextmanager
def without_sets(model: nn.Module, source: str, deleted: Int[np.ndarray, " _"]) -> Iterator[None]:
    """Within, the network has no token of some gene sets; the straight way past it still has genes.

    Args:
        model: KEMM: no other model has claims that look at gene sets.
        source: Which table of genes.
        deleted: Which sets.
    """
    assert isinstance(model, Kemm)  # noqa: S101

    def hide(_: nn.Module, __: Any, out: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        mask = out[1].clone()
        mask[:, torch.from_numpy(deleted).to(mask.device)] = False
        return out[0], mask

    handle = model.encoders[source].register_forward_hook(hide)
    try:
        yield
    finally:
        handle.remove()


def _entry(
    source: str, share: float, found: Float[np.ndarray, "patient order"], patient: Sequence[str]
) -> dict[str, Any]:
    columns = dict(zip(ORDERS, found.T, strict=True))
    beyond = {
        f"beyond_{name}": mean(columns["most"] - columns[name], patient).as_json()
        for name in ORDERS[1:]
    }
    changed = {name: mean(values, patient).as_json() for name, values in columns.items()}
    return {"source": source, "share": share, "patients": len(found), **changed, **beyond}
