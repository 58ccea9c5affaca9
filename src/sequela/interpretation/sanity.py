"""Do the maps show what the model has learned: lesions found, and maps of shuffled weights."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Float
from scipy.stats import spearmanr
from torch import nn

from sequela.evaluation.estimate import Estimate
from sequela.interpretation.grad_cam import grad_cam
from sequela.interpretation.intervals import mean, share
from sequela.interpretation.overlap import expected_overlap, overlap
from sequela.interpretation.pointing import Lesion, breast, chance, points_at, shuffle_weights
from sequela.interpretation.portrait import Subject
from sequela.interpretation.risk_score import risk_score
from sequela.modalities.cases import VIEW_KIND, ImageSource
from sequela.progress import stage

_SEED = 20180
CHANCE = "chance"
WHOSE = ("as trained", "weights shuffled", CHANCE)
Map: TypeAlias = Float[np.ndarray, "row column"]


def check_maps(
    subject: Subject, rows: Sequence[int], lesions: Mapping[str, Lesion]
) -> dict[str, Any]:
    """Hits on lesions and overlap with them, and how alike the maps of shuffled weights are.

    Args:
        subject: The model and its cases.
        rows: Cases to look at.
        lesions: Where lesions are in prepared images, by image id; empty where nobody knows. An
            image that shows no breast is left out, for it has no level of chance.

    Returns:
        `pointing`, one entry for the trained model, the shuffled one and chance, and `beyond`, how
        far the first exceeds the others, both empty without lesions; and `likeness`, the mean rank
        correlation of a view's map with that of the shuffled model, None where undefined.
    """
    store = subject.inputs.images
    hits, overlaps, patients, alike = [], [], [], []
    for patient, image_id, mine, theirs in _pairs(subject, rows):
        if mine.std() > 0 and theirs.std() > 0:
            alike.append(float(spearmanr(mine.ravel(), theirs.ravel()).statistic))
        if store is not None and image_id in lesions and breast(store.pixels(image_id)).any():
            found = _found(store, image_id, lesions[image_id], (mine, theirs))
            hits.append(found[0])
            overlaps.append(found[1])
            patients.append(patient)
    return {
        **_compared(np.array(hits).reshape(-1, 3), np.array(overlaps).reshape(-1, 3), patients),
        "likeness": round(float(np.mean(alike)), 3) if alike else None,
    }


def _found(
    store: ImageSource, image_id: str, lesion: Lesion, maps: Sequence[Map]
) -> tuple[list[float], list[float]]:
    """Hits and overlap of each map of an image, and last what chance would have."""
    pixels = store.pixels(image_id)
    size, cell = len(pixels), len(pixels) / len(maps[0])
    hits = [float(points_at(strength, lesion, size)) for strength in maps]
    overlaps = [overlap(strength, lesion, size) for strength in maps]
    return [*hits, chance(pixels, lesion, cell)], [*overlaps, expected_overlap(pixels, lesion)]


def _compared(
    hits: Float[np.ndarray, "view whose"],
    overlaps: Float[np.ndarray, "view whose"],
    patients: Sequence[str],
) -> dict[str, Any]:
    """Each model's share and overlap, and the differences of the trained one from the others."""
    if not patients:
        return {"pointing": [], "beyond": []}
    views, women = len(patients), len(set(patients))
    pointing = [
        {
            "name": name,
            "hits": round(float(hits[:, one].sum()), 1),
            "views": views,
            "patients": women,
            "share": _share(hits[:, one], patients, name).as_json(),
            "overlap": _overlap(overlaps[:, one], patients, name).as_json(),
        }
        for one, name in enumerate(WHOSE)
    ]
    beyond = [
        {
            "name": f"{WHOSE[0]} − {name}",
            "share": mean(hits[:, 0] - hits[:, other], patients).as_json(),
            "overlap": mean(overlaps[:, 0] - overlaps[:, other], patients).as_json(),
        }
        for other, name in enumerate(WHOSE[1:], start=1)
    ]
    return {"pointing": pointing, "beyond": beyond}


def _share(hits: Float[np.ndarray, " view"], patients: Sequence[str], name: str) -> Estimate:
    """The share of hits; that of chance is computed, not drawn, and needs no interval."""
    if name == CHANCE:
        return Estimate(float(hits.mean()))
    return share(float(hits.sum()), len(hits), len(set(patients)))


def _overlap(overlaps: Float[np.ndarray, " view"], patients: Sequence[str], name: str) -> Estimate:
    return Estimate(float(overlaps.mean())) if name == CHANCE else mean(overlaps, patients)


def shuffled(model: nn.Module) -> nn.Module:
    """A copy of the model in which the weights of each layer stand in random order."""
    copied = copy.deepcopy(model)
    shuffle_weights(copied, _SEED)
    return copied


def _pairs(subject: Subject, rows: Sequence[int]) -> Iterator[tuple[str, str, Map, Map]]:
    """Each image's patient and id, its map, and its map by the model with shuffled weights."""
    models = (subject.model, shuffled(subject.model))
    score = risk_score(subject.head)
    with stage("Checking the maps", len(rows)) as advance:
        for row in rows:
            seen = subject.seen(row)
            mine, theirs = (grad_cam(model, seen, score)[0].cpu().numpy() for model in models)
            patient = subject.inputs.cases[row].patient_id
            for slot, view, image_id in _images(subject, seen, row):
                yield patient, image_id, mine[slot, view], theirs[slot, view]
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
