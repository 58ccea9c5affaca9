"""Do the maps show what the model has learned: lesions hit, and maps of shuffled weights."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Float
from scipy.stats import spearmanr

from sequela.interpretation.grad_cam import grad_cam
from sequela.interpretation.pointing import Lesion, chance, points_at, shuffle_weights
from sequela.interpretation.portrait import Subject
from sequela.interpretation.risk_score import risk_score
from sequela.modalities.cases import VIEW_KIND
from sequela.progress import stage

_SEED = 20180
_WHOSE = ("as trained", "weights shuffled", "a random point of the breast, expected")
Map: TypeAlias = Float[np.ndarray, "row column"]


def check_maps(
    subject: Subject, rows: Sequence[int], lesions: Mapping[str, Lesion]
) -> dict[str, Any]:
    """Hits on lesions for the trained and the shuffled model, and how alike their maps are.

    Args:
        subject: The model and its cases.
        rows: Cases to look at.
        lesions: Where lesions are in prepared images, by image id; empty where nobody knows.

    Returns:
        `pointing`, a list of {name, hits, views}, empty without lesions; and `likeness`, the mean
        rank correlation of a view's map with that of the shuffled model, None where undefined.
    """
    store = subject.inputs.images
    hits, views = np.zeros(3), 0
    alike = []
    for image_id, mine, theirs in _pairs(subject, rows):
        if mine.std() > 0 and theirs.std() > 0:
            alike.append(float(spearmanr(mine.ravel(), theirs.ravel()).statistic))
        if store is not None and image_id in lesions:
            pixels, lesion = store.pixels(image_id), lesions[image_id]
            found = [points_at(strength, lesion, len(pixels)) for strength in (mine, theirs)]
            hits += *found, chance(pixels, lesion, len(pixels) / len(mine))
            views += 1
    pointing = [
        {"name": name, "hits": round(float(count), 1), "views": views}
        for name, count in zip(_WHOSE, hits, strict=True)
    ]
    return {
        "pointing": pointing if views else [],
        "likeness": round(float(np.mean(alike)), 3) if alike else None,
    }


def _pairs(subject: Subject, rows: Sequence[int]) -> Iterator[tuple[str, Map, Map]]:
    """Each image's id, its map, and its map by the model with shuffled weights."""
    shuffled = copy.deepcopy(subject.model)
    shuffle_weights(shuffled, _SEED)
    score = risk_score(subject.head)
    with stage("Checking the maps", len(rows)) as advance:
        for row in rows:
            seen = subject.seen(row)
            mine, theirs = (
                grad_cam(model, seen, score)[0].cpu().numpy() for model in (subject.model, shuffled)
            )
            for slot, view, image_id in _images(subject, seen, row):
                yield image_id, mine[slot, view], theirs[slot, view]
            advance(1)


def _images(subject: Subject, seen: Any, row: int) -> list[tuple[int, int, str]]:
    """Slot, view slot and id of each image of a case, in the order of `cases.read_views`."""
    store = subject.inputs.images
    return [
        (slot, view, image_id)
        for slot, exam in subject.slots(seen, row)
        for view, (_, image_id) in enumerate(
            sorted(
                (VIEW_KIND[image.side, image.view], image.image_id)
                for image in exam.images
                if store is not None and image.image_id in store
            )
        )
    ]
