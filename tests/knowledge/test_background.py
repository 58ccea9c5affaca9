from __future__ import annotations

import re

import pytest

from sequela.errors import UsageError
from sequela.knowledge.background import CANCER_TYPES, MAXIMUM_WORDS, packaged_pack, read_pack


@pytest.mark.parametrize("cancer_type", CANCER_TYPES)
def test_a_pack_tells_both_directions_of_both_modalities_in_a_hundred_words(
    cancer_type: str,
) -> None:
    claims = read_pack(cancer_type)
    for modality in ("slide", "genes"):
        told = [claim for claim in claims if claim.modality == modality]
        assert {claim.direction for claim in told} == {"higher", "lower"}
        assert sum(len(claim.text.split()) for claim in told) <= MAXIMUM_WORDS


def test_every_claim_has_an_id_a_citation_with_a_year_and_one_sentence() -> None:
    claims = [claim for cancer_type in CANCER_TYPES for claim in read_pack(cancer_type)]
    assert len({claim.id for claim in claims}) == len(claims)
    for claim in claims:
        assert re.search(r", .+ (19|20)\d\d$", claim.citation), claim.id
        assert claim.text.endswith(".") and ". " not in claim.text, claim.id


def test_every_claim_about_genes_can_be_matched_with_genes_or_gene_sets() -> None:
    for cancer_type in CANCER_TYPES:
        for claim in read_pack(cancer_type):
            assert bool(claim.genes or claim.gene_sets) == (claim.modality == "genes"), claim.id


def test_a_pack_says_who_has_reviewed_it() -> None:
    assert all("review" in packaged_pack(name).review for name in CANCER_TYPES)


@pytest.mark.parametrize("cancer_type", CANCER_TYPES)
def test_what_was_checked_is_counted_as_it_is_said_and_nobody_claims_a_review(
    cancer_type: str,
) -> None:
    pack = packaged_pack(cancer_type)
    ids = {claim.id for claim in pack.claims}
    assert sorted((*pack.checked, *pack.sought)) == sorted(ids)
    assert {*pack.contested} <= ids
    told = " ".join(pack.review.split())
    assert f"Of {len(ids)} claims, {len(pack.checked)} have since been held against" in told
    assert "No pathologist has reviewed the claims." in told


def test_another_cancer_is_refused_and_those_that_are_there_are_named() -> None:
    with pytest.raises(UsageError, match="KIRC"):
        read_pack("GBM")
