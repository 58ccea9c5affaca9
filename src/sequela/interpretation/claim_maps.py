"""How each claim of background knowledge looks at patches and gene sets: KEMM's attention."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
import torch
from jaxtyping import Float
from torch import nn

from sequela.interpretation.patch_places import PlacedSlide
from sequela.interpretation.risk_score import evaluating
from sequela.knowledge.background import Claim
from sequela.modalities.batch import Batch
from sequela.models.kemm import Kemm

SCHEMA = {
    "patient": pl.Int64,
    "claim": pl.String,
    "source": pl.String,
    "slide": pl.String,
    "x": pl.Float64,
    "y": pl.Float64,
    "gene_set": pl.String,
    "weight": pl.Float64,
}
"""Columns of `attention.parquet`: a row a claim and patch, or a claim and gene set."""
_NAMED = {"gene_set": pl.String}


@dataclass(frozen=True)
class ClaimMap:
    """What one claim looks at.

    Attributes:
        claim: That asks.
        source: What answers: `slide`, `genes`, `mutation` or `copy_number`.
        weights: Of each patch or gene set, the mean over heads; they sum to 1.
    """

    claim: Claim
    source: str
    weights: Float[np.ndarray, " value"]

    @property
    def half(self) -> int:
        """On how few of the values half of the look falls; half of them where it is even."""
        ordered = np.sort(self.weights)[::-1].cumsum()
        return int(np.searchsorted(ordered, ordered[-1] / 2)) + 1


def claim_maps(model: nn.Module, seen: Batch, claims: Sequence[Claim]) -> tuple[ClaimMap, ...]:
    """The maps of one patient, sources in the model's order, claims in the batch's.

    Args:
        model: Without such maps unless it is KEMM with knowledge that asks.
        seen: One patient, on the model's device.
        claims: Those of the batch.
    """
    if not isinstance(model, Kemm):
        return ()
    with evaluating(model), torch.no_grad():
        found = {
            name: rows[0].double().cpu().numpy() for name, rows in model.attention(seen).items()
        }
    return tuple(
        ClaimMap(claim, source, weights)
        for source, rows in found.items()
        for claim, weights in zip(claims, rows, strict=False)
        if weights.any()
    )


def mean_weights(maps: Sequence[ClaimMap]) -> dict[str, Float[np.ndarray, " value"]]:
    """How much each patch or gene set is looked at, the mean over a patient's claims, by source."""
    sources = dict.fromkeys(one.source for one in maps)
    return {
        source: np.mean([one.weights for one in maps if one.source == source], axis=0)
        for source in sources
    }


def attention_table(
    patient: int,
    maps: Sequence[ClaimMap],
    slides: Sequence[PlacedSlide],
    sets: dict[str, tuple[str, ...]],
) -> pl.DataFrame:
    """The maps of a patient as rows of `attention.parquet`.

    Args:
        patient: The number on the page.
        maps: Of the patient.
        slides: Where the patches lie.
        sets: Names of the gene sets of each source.
    """
    lie = _places(slides)
    frames = []
    for one in maps:
        nowhere = pl.DataFrame(
            {"gene_set": sets.get(one.source, ())}, schema={"gene_set": pl.String}
        )
        frame = (lie if one.source == "slide" else nowhere).with_columns(
            pl.Series("weight", one.weights),
            patient=pl.lit(patient),
            claim=pl.lit(one.claim.id),
            source=pl.lit(one.source),
        )
        frames.append(pl.concat([pl.DataFrame(schema=SCHEMA), frame], how="diagonal_relaxed"))
    whole = pl.concat(frames) if frames else pl.DataFrame(schema=SCHEMA)
    return whole.select(pl.col(name).cast(kind) for name, kind in SCHEMA.items())


def _places(slides: Sequence[PlacedSlide]) -> pl.DataFrame:
    """Slide and corner of each patch of a bag, in its order."""
    parts = [
        pl.DataFrame(
            {
                "slide": [slide.slide_id] * slide.patches,
                "x": None if slide.coords is None else slide.coords[:, 0],
                "y": None if slide.coords is None else slide.coords[:, 1],
            },
            schema={name: SCHEMA[name] for name in ("slide", "x", "y")},
        )
        for slide in slides
    ]
    empty = pl.DataFrame(schema={name: SCHEMA[name] for name in ("slide", "x", "y")})
    return pl.concat([empty, *parts])
