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
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from sequela.interpretation.claim_maps import claim_maps, mean_weights
from sequela.interpretation.intervals import mean
from sequela.interpretation.patient_portrait import PatientSubject
from sequela.interpretation.risk_score import evaluating, risk_score
from sequela.interpretation.sanity import shuffled
from sequela.modalities.batch import Batch
from sequela.models.kemm import Kemm
from sequela.progress import stage

SHARES = (0.1, 0.3)
"""Of the patches or gene sets that are deleted, at least one."""
ORDERS = ("most", "random", "least", "shuffled")
_DRAWS = 5
_SEED = 20181
_AT_ONCE = 1 << 15  # patches of a batch


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
    found = {}
    for source, weights in looked.items():
        places = seen.measured(source)[1][0].cpu().numpy().nonzero()[0]
        if source != "slide":
            places = np.arange(len(weights))
        generator = np.random.default_rng((_SEED, row))
        for share in SHARES:
            count = max(1, round(share * len(places)))
            if 2 * count > len(places):
                continue
            order = places[np.argsort(-weights[places], kind="stable")]
            other = places[np.argsort(-by_chance[source][places], kind="stable")]
            draws = [generator.permutation(places)[:count] for _ in range(_DRAWS)]
            gone = [order[:count], order[-count:], other[:count], *draws]
            whole, *moved = _scores(subject, seen, source, [order[:0], *gone])
            most, least, shuffled_most, *random = np.abs(np.array(moved) - whole).tolist()
            found[source, share] = [most, float(np.mean(random)), least, shuffled_most]
    return found


def _scores(
    subject: PatientSubject, seen: Batch, source: str, deleted: Sequence[Int[np.ndarray, " _"]]
) -> list[float]:
    """The score without each of some groups of patches, or of gene sets as the network has them."""
    score, width = risk_score(subject.head), seen.measured(source)[1].shape[1]
    together = max(1, _AT_ONCE // max(1, width))
    scores: list[float] = []
    for start in range(0, len(deleted), together):
        some = deleted[start : start + together]
        many = _repeated(seen, len(some))
        hidden: Any = nullcontext()
        if source == "slide" and many.patch_mask is not None:
            many = replace(many, patch_mask=_less(many.patch_mask, some))
        elif source != "slide":
            hidden = without_sets(subject.model, source, some)
        with evaluating(subject.model), hidden, torch.no_grad():
            scores += score(subject.model(many).logits.double()).tolist()
    return scores


def _repeated(seen: Batch, count: int) -> Batch:
    """The one patient so many times."""
    return Batch(
        **{
            name: value.expand(count, *value.shape[1:])
            for name, value in vars(seen).items()
            if value is not None
        }
    )


def _less(
    mask: Bool[Tensor, "patient value"], deleted: Sequence[Int[np.ndarray, " _"]]
) -> Bool[Tensor, "patient value"]:
    """The mask without each row's places."""
    less = mask.clone()
    for row, places in enumerate(deleted):
        less[row, torch.from_numpy(places).to(less.device)] = False
    return less


@contextmanager
def without_sets(
    model: nn.Module, source: str, deleted: Sequence[Int[np.ndarray, " _"]]
) -> Iterator[None]:
    """Within, the network has no token of some gene sets; the straight way past it still has genes.

    Args:
        model: KEMM: no other model has claims that look at gene sets.
        source: Which table of genes.
        deleted: Which sets, for each patient of the batch.
    """
    assert isinstance(model, Kemm)  # noqa: S101

    def hide(_: nn.Module, __: Any, out: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        return out[0], _less(out[1], deleted)

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
