"""Parts in the plane by t-SNE (van der Maaten & Hinton 2008): a picture, and no evidence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.manifold import TSNE

from sequela.interpretation.parts import Parts
from sequela.models.lumin import CROSS_MODAL, TEMPORAL

_PERPLEXITY = 30.0
_STEPS = 500
FEWEST = 12
"""Points without which nothing is drawn."""


def scattered(parts: Parts, most: int, seed: int) -> list[dict[str, Any]]:
    """One panel for the parts of the landmark's visit and one for those of time, JSON-able.

    Args:
        parts: One row a patient.
        most: Patients drawn at most, the first ones.
        seed: Of the embedding.
    """
    latest = parts.latest()
    panels = []
    for title, names in (("modalities", CROSS_MODAL), ("visits", TEMPORAL)):
        drawn = [name for name in names if name in latest]
        rows = [
            (name, vector)
            for name in drawn
            for vector in parts.vectors[latest[name]][parts.present[latest[name]]][:most]
        ]
        if len(drawn) > 1 and len(rows) >= FEWEST:
            panels.append({"title": title, **_embedded(rows, seed)})
    return panels


def _embedded(rows: Sequence[tuple[str, np.ndarray]], seed: int) -> dict[str, Any]:
    vectors = np.stack([vector for _, vector in rows])
    vectors = vectors - vectors.mean(axis=0)
    perplexity = min(_PERPLEXITY, (len(rows) - 1) / 3)
    embedding = TSNE(
        perplexity=perplexity, init="random", max_iter=_STEPS, random_state=seed, n_jobs=1
    ).fit_transform(vectors)
    points: dict[str, list[list[float]]] = {}
    for (name, _), place in zip(rows, embedding, strict=True):
        points.setdefault(name, []).append([round(float(x), 2) for x in place])
    return {"points": points, "perplexity": round(perplexity, 1), "seed": seed}
