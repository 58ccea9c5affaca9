"""Do the maps show what the model has learned: lesions hit, and maps of shuffled weights."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from sequela.interpretation.grad_cam import grad_cam
from sequela.interpretation.pointing import Lesion, chance, points_at, shuffle_weights
from sequela.interpretation.portrait import Subject
from sequela.interpretation.risk_score import risk_score
from sequela.modalities.cases import VIEW_KIND
from sequela.progress import stage

_SEED = 20180


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
    shuffled = copy.deepcopy(subject.model)
    shuffle_weights(shuffled, _SEED)
    other = replace(subject, model=shuffled)
    hits = np.zeros(3)
    views, alike = 0, []
    with stage("Checking the maps", len(rows)) as advance:
        for row in rows:
            seen = subject.seen(row)
            pairs = [
                grad_cam(one.model, seen, risk_score(one.head))[0].cpu().numpy()
                for one in (subject, other)
            ]
            for slot, view, image_id in _images(subject, seen, row):
                mine, theirs = (maps[slot, view] for maps in pairs)
                if mine.std() > 0 and theirs.std() > 0:
                    alike.append(float(spearmanr(mine.ravel(), theirs.ravel()).statistic))
                if image_id in lesions and subject.inputs.images is not None:
                    pixels, lesion = subject.inputs.images.pixels(image_id), lesions[image_id]
                    size, cell = len(pixels), len(pixels) / len(mine)
                    guessed = chance(pixels, lesion, cell)
                    hits += points_at(mine, lesion, size), points_at(theirs, lesion, size), guessed
                    views += 1
            advance(1)
    names = ("as trained", "weights shuffled", "a random point of the breast, expected")
    pointing = [
        {"name": name, "hits": round(float(count), 1), "views": views}
        for name, count in zip(names, hits, strict=True)
    ]
    return {
        "pointing": pointing if views else [],
        "likeness": round(float(np.mean(alike)), 3) if alike else None,
    }


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
