"""Prognostic background knowledge: what is written of a cancer's slides and genes, as claims."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any, Literal

import yaml

from sequela.errors import UsageError

CANCER_TYPES = ("BRCA", "KIRC", "LUAD", "LUSC", "UCEC")
"""The cancer types of the packs in the package."""

MAXIMUM_WORDS = 100
"""Words of all claims of one modality together (design, section 6)."""

Modality = Literal["slide", "genes"]
Direction = Literal["higher", "lower"]


@dataclass(frozen=True)
class Claim:
    """One sentence of prognostic knowledge.

    Attributes:
        id: Unique among all claims.
        cancer_type: The cancer it is about.
        modality: Where it can be seen.
        direction: Whether its presence goes with a higher or lower risk of dying.
        feature: What to look for, in a few words.
        text: The claim in one sentence.
        citation: Authors, journal, year.
        genes: HGNC symbols that it names.
        gene_sets: Names of GMT gene sets that it is about.
    """

    id: str
    cancer_type: str
    modality: Modality
    direction: Direction
    feature: str
    text: str
    citation: str
    genes: tuple[str, ...] = ()
    gene_sets: tuple[str, ...] = ()


@dataclass(frozen=True)
class Pack:
    """The claims about one cancer, and who has looked at them.

    Attributes:
        cancer_type: Which.
        review: What has been checked and by whom, in sentences.
        claims: In the order in which a model reads them.
        checked: Ids of claims that agree with the abstract of the paper they cite.
        sought: Ids of claims whose paper was looked for and not found.
        contested: By id of a claim, who has found otherwise.
    """

    cancer_type: str
    review: str
    claims: tuple[Claim, ...]
    checked: tuple[str, ...] = ()
    sought: tuple[str, ...] = ()
    contested: Mapping[str, str] = field(default_factory=dict)


@cache
def packaged_pack(cancer_type: str) -> Pack:
    """The pack of a cancer type that comes with the package.

    Raises:
        UsageError: If there is none.
    """
    if cancer_type not in CANCER_TYPES:
        raise UsageError(
            f"there is no background knowledge for this cancer type in the package; there is for "
            f"{', '.join(CANCER_TYPES)}",
            hint="name a cancer type of these, or have a language model write the claims",
        )
    folder = resources.files("sequela.knowledge") / "packs"
    content = yaml.safe_load((folder / f"{cancer_type.lower()}.yaml").read_text("utf-8"))
    claims = tuple(_claim(cancer_type, row) for row in content["claims"])
    return Pack(
        cancer_type,
        content["review"],
        claims,
        tuple(content.get("checked", ())),
        tuple(content.get("sought", ())),
        content.get("contested", {}),
    )


def read_pack(cancer_type: str) -> tuple[Claim, ...]:
    """The claims about a cancer that come with the package.

    Raises:
        UsageError: If there are none.
    """
    return packaged_pack(cancer_type).claims


def _claim(cancer_type: str, row: dict[str, Any]) -> Claim:
    lists = {name: tuple(row.get(name, ())) for name in ("genes", "gene_sets")}
    return Claim(**{**row, **lists, "cancer_type": cancer_type})
