"""Do claims look at the patches that are like them, where the truth is simulated?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Bool, Float
from torch import nn

from sequela.evaluation.discrimination import auc
from sequela.evaluation.estimate import Estimate
from sequela.interpretation.claim_maps import ClaimMap, claim_maps
from sequela.interpretation.intervals import mean, share
from sequela.interpretation.patient_portrait import PatientSubject
from sequela.interpretation.sanity import CHANCE, WHOSE, shuffled
from sequela.progress import stage

Planted = Mapping[str, Mapping[str, Bool[np.ndarray, " patch"]]]
"""By patient and claim, which patches are like the claim."""


def planted_patches(truth: pl.DataFrame, subject: PatientSubject) -> Planted:
    """Which patches of each patient are like which claim.

    Args:
        truth: `truth/patches.parquet` of a simulated cohort.
        subject: Whose claims are meant.
    """
    knowledge = subject.sources.knowledge
    if knowledge is None:
        return {}
    ids = {
        cancer: [one.id for one in claims if one.modality == "slide"]
        for cancer, claims in knowledge.claims.items()
    }
    planted: dict[str, dict[str, np.ndarray]] = {}
    for (patient,), rows in truth.sort("patch").group_by(["patient_id"], maintain_order=True):
        kinds = np.array(
            [ids[cancer][place] for cancer, place in rows.select("cancer", "claim").iter_rows()]
        )
        planted[str(patient)] = {claim: kinds == claim for claim in np.unique(kinds).tolist()}
    return planted


def check_claims(
    subject: PatientSubject, rows: Sequence[int], planted: Planted
) -> dict[str, list[dict[str, Any]]]:
    """Whether a claim's map tells the patches that are like it from the others of the slide.

    Args:
        subject: The model and its patients.
        rows: Whom to ask.
        planted: The truth.

    Returns:
        `pointing`, an entry for the trained model, the one with shuffled weights and chance: how
        often (`share`) a map peaks on a patch that is like its claim, and the mean `auc` of its
        weights; and `beyond`, how far the first exceeds the others. Both empty without a truth.
    """
    models = (subject.model, shuffled(subject.model))
    hits, areas, patients = [], [], []
    with stage("Looking for planted patches", len(rows)) as advance:
        for row in rows:
            patient = subject.cases[row].patient_id
            for found in _told(subject, models, row, planted.get(patient, {})):
                hits.append(found[0])
                areas.append(found[1])
                patients.append(patient)
            advance(1)
    if not patients:
        return {"pointing": [], "beyond": []}
    return _compared(np.array(hits), np.array(areas), patients)


def _told(
    subject: PatientSubject,
    models: Sequence[nn.Module],
    row: int,
    planted: Mapping[str, Bool[np.ndarray, " patch"]],
) -> list[tuple[list[float], list[float]]]:
    """Of each claim with some patches like it: hits and areas of each model, and of chance."""
    seen, claims = subject.seen(row), subject.claims(row)
    found = []
    for maps in zip(*(_of_slides(claim_maps(one, seen, claims)) for one in models), strict=True):
        alike = planted.get(maps[0].claim.id)
        if alike is None or alike.all():
            continue
        hits = [float(alike[one.weights.argmax()]) for one in maps]
        areas = [auc(one.weights, alike) for one in maps]
        found.append(([*hits, float(alike.mean())], [*areas, 0.5]))
    return found


def _of_slides(maps: Sequence[ClaimMap]) -> list[ClaimMap]:
    return [one for one in maps if one.source == "slide"]


def _compared(
    hits: Float[np.ndarray, "map whose"],
    areas: Float[np.ndarray, "map whose"],
    patients: Sequence[str],
) -> dict[str, list[dict[str, Any]]]:
    people = len(set(patients))

    def shares(column: int, name: str) -> Estimate:
        if name == CHANCE:
            return Estimate(float(hits[:, column].mean()))
        return share(float(hits[:, column].sum()), len(hits), people)

    def area(column: int, name: str) -> Estimate:
        return Estimate(0.5) if name == CHANCE else mean(areas[:, column], patients)

    pointing = [
        {
            "name": name,
            "hits": round(float(hits[:, column].sum()), 1),
            "maps": len(hits),
            "patients": people,
            "share": shares(column, name).as_json(),
            "auc": (
                Estimate(0.5) if name == CHANCE else mean(areas[:, column], patients)
            ).as_json(),
        }
        for column, name in enumerate(WHOSE)
    ]
    beyond = [
        {
            "name": f"{WHOSE[0]} − {name}",
            "share": mean(hits[:, 0] - hits[:, column], patients).as_json(),
            "auc": mean(areas[:, 0] - areas[:, column], patients).as_json(),
        }
        for column, name in enumerate(WHOSE[1:], start=1)
    ]
    return {"pointing": pointing, "beyond": beyond}
