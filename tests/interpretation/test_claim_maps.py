"""Claims find what is planted for them where patches share their space, and deletion is fair."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch

from sequela.interpretation.claim_maps import ClaimMap, claim_maps, mean_weights
from sequela.interpretation.deletion import SHARES, deletion_test, without_sets
from sequela.interpretation.patient_portrait import PatientSubject
from sequela.interpretation.planted_patches import check_claims, planted_patches
from sequela.knowledge.background import Claim
from sequela.models.build import build_model
from sequela.training.patient_sources import kept_sources
from sequela.training.prediction import load_trained
from sequela.training.project import Project
from sequela.training.run import Run


@pytest.fixture(scope="module")
def subject(tumours: Project, kemm: Run) -> PatientSubject:
    trained = load_trained(kemm)
    cases = list(tumours.selection.cases)
    sources = kept_sources(tumours, trained.metadata)
    inputs = sources.inputs([case.patient_id for case in cases], trained.config)
    return PatientSubject(trained.model, trained.config, trained.head, cases, inputs, sources, True)


def rows(subject: PatientSubject) -> list[int]:
    return [row for row in range(len(subject.cases)) if subject.slides(row)][:10]


def test_half_of_the_look_is_counted_in_values() -> None:
    claim = Claim("c", "KIRC", "slide", "higher", "f", "t", "c")
    assert ClaimMap(claim, "slide", np.array([0.1, 0.6, 0.3])).half == 1
    assert ClaimMap(claim, "slide", np.full(8, 0.125)).half == 4


def test_a_claim_looks_at_what_it_speaks_of_alone(subject: PatientSubject) -> None:
    row = rows(subject)[0]
    maps = claim_maps(subject.model, subject.seen(row), subject.claims(row))
    assert {one.source for one in maps if one.claim.modality == "slide"} == {"slide"}
    assert {one.source for one in maps if one.claim.modality == "genes"} == {"genes"}
    assert {one.claim.cancer_type for one in maps} == {
        subject.sources.cohort.patient(subject.cases[row].patient_id).cancer_type
    }
    for weights in mean_weights(maps).values():
        np.testing.assert_allclose(weights.sum(), 1, atol=1e-5)


def test_without_a_slide_no_claim_looks_at_patches(subject: PatientSubject) -> None:
    (lacking, *_) = (row for row in range(len(subject.cases)) if not subject.slides(row))
    maps = claim_maps(subject.model, subject.seen(lacking), subject.claims(lacking))
    assert {one.source for one in maps} <= {"genes"}


def test_claims_find_the_patches_that_are_like_them(
    subject: PatientSubject, tumours: Project
) -> None:
    truth = pl.read_parquet(tumours.cohort.folder / "truth" / "patches.parquet")
    planted = planted_patches(truth, subject)
    trained, _, chance = check_claims(subject, rows(subject), planted)["pointing"]
    assert trained["auc"]["value"] > 0.95
    assert trained["share"]["low"] > 2 * chance["share"]["value"]
    torch.manual_seed(0)
    config = subject.config.evolve(shared_space=0.0)
    blind = replace(subject, model=build_model(config, subject.head.logits), config=config)
    unlearned = check_claims(blind, rows(subject), planted)["pointing"][0]
    assert unlearned["auc"]["low"] < 0.5
    assert unlearned["auc"]["value"] < 0.7


def test_deleting_is_told_of_each_source_and_share_with_its_control(
    subject: PatientSubject,
) -> None:
    found = deletion_test(subject, rows(subject)[:4])
    assert {(one["source"], one["share"]) for one in found} == {
        (source, share) for source in ("slide", "genes") for share in SHARES
    }
    for one in found:
        most, least = one["most"]["value"], one["least"]["value"]
        np.testing.assert_allclose(one["beyond_least"]["value"], most - least, atol=1e-9)
        assert one["patients"] == 4


def test_a_model_that_no_patch_moves_is_moved_by_no_deletion(subject: PatientSubject) -> None:
    """Its patches weigh nothing where they are gathered."""
    model = build_model(subject.config, subject.head.logits)
    found = deletion_test(replace(subject, model=model), rows(subject)[:2])
    # Output weights begin at zero: nothing but the straight way says anything.
    assert {one["most"]["value"] for one in found} == {0.0}


def test_deleted_sets_are_as_if_none_of_their_genes_were_measured(
    subject: PatientSubject,
) -> None:
    seen = subject.seen(rows(subject)[0])
    encoder = subject.model.encoders["genes"]
    with without_sets(subject.model, "genes", [np.array([2])]), torch.no_grad():
        _, there = encoder(seen.genes, seen.gene_mask)
    assert there[0].tolist() == [True, True, False, True, True, True]
    with torch.no_grad():
        assert encoder(seen.genes, seen.gene_mask)[1].all()
