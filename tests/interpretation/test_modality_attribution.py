"""Laws of Shapley values over modalities: efficiency, symmetry, dummy, and what is missing."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from sequela.interpretation.modality_attribution import ModalityAttribution, attribute_modalities
from sequela.modalities.batch import Batch
from sequela.models.output import Output

NAMES = ("slide", "genes", "report", "clinical")


def patient() -> Batch:
    torch.manual_seed(4)
    there = torch.ones(1, 3, dtype=torch.bool)
    return Batch(
        day=torch.zeros(1, 0),
        exam_mask=torch.zeros(1, 0, dtype=torch.bool),
        patches=torch.randn(1, 3, 2),
        patch_mask=there,
        genes=torch.randn(1, 3),
        gene_mask=there,
        fields=torch.randn(1, 3, 2),
        field_mask=there,
        clinical=torch.randn(1, 3),
        clinical_mask=there,
    )


class Game(nn.Module):
    """Slide and genes do the same, and more together; the report does nothing."""

    def forward(self, batch: Batch) -> Output:
        masks = {name: batch.measured(name)[1] for name in NAMES}
        there = {name: mask.any(dim=1).float() for name, mask in masks.items()}
        together = there["slide"] * there["genes"]
        total = there["slide"] + there["genes"] + 3 * together + 0.5 * there["clinical"]
        return Output((total + 2 * together * there["clinical"])[:, None])


def explained(batch: Batch | None = None) -> ModalityAttribution:
    def score(logits: Tensor) -> Tensor:
        return logits[:, 0]

    return attribute_modalities(Game(), batch or patient(), score, NAMES)


def test_the_weights_sum_to_what_all_are_worth_beyond_none() -> None:
    found = explained()
    assert (found.score, found.baseline) == (7.5, 0.0)
    np.testing.assert_allclose(found.weights.sum(), found.score - found.baseline, atol=1e-12)


def test_those_who_do_the_same_get_the_same_and_who_does_nothing_gets_nothing() -> None:
    weights = dict(zip(NAMES, explained().weights, strict=True))
    assert weights["slide"] == weights["genes"] > weights["clinical"] > 0
    assert weights["report"] == 0


def test_they_are_the_mean_gain_over_all_orders() -> None:
    """Of the game as a person would write it down, order by order."""

    def worth(kept: frozenset[str]) -> float:
        both = {"slide", "genes"} <= kept
        alone = ("slide" in kept) + ("genes" in kept) + 0.5 * ("clinical" in kept)
        return alone + 3 * both + 2 * (both and "clinical" in kept)

    gains = dict.fromkeys(NAMES, 0.0)
    orders = list(itertools.permutations(NAMES))
    for order in orders:
        for place, name in enumerate(order):
            before = frozenset(order[:place])
            gains[name] += (worth(before | {name}) - worth(before)) / len(orders)
    np.testing.assert_allclose(explained().weights, list(gains.values()), atol=1e-12)


def test_what_a_patient_lacks_is_no_player() -> None:
    batch = patient()
    less = replace(batch, gene_mask=torch.zeros_like(batch.gene_mask))
    found = explained(less)
    assert found.names == ("slide", "report", "clinical")
    np.testing.assert_allclose(found.weights, [1.0, 0.0, 0.5])


def test_of_whom_nothing_is_known_nothing_is_moved() -> None:
    found = explained(patient().without(*NAMES))
    assert found.names == ()
    assert found.score == found.baseline == 0.0
