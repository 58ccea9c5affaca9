"""CLAM's loss of patches against the paper's words, patch by patch."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from sequela.models.clam import Clam
from tests.models.test_kemm import patients
from tests.models.test_peers import network

SIZES = (40, 16, 9, 1, 0)


def smooth_top_1(scores: Tensor, label: int) -> float:
    """Of any number of classes: log of the sum of exp(margin of the others + score), less own."""
    others = [float(score) + (place != label) for place, score in enumerate(scores)]
    return math.log(sum(math.exp(one) for one in others)) - float(scores[label])


def bag_loss(model: Clam, adapted: Tensor, weights: Tensor) -> float:
    """Of one bag, whose classifier of two classes is split evenly between them."""
    kept = min(8, len(adapted) // 2)
    falling = sorted(range(len(adapted)), key=lambda patch: -float(weights[patch]))
    losses = []
    for label, chosen in ((1, falling[:kept]), (0, falling[len(falling) - kept :])):
        for patch in chosen:
            score = model.cluster(adapted[patch])[0]
            losses.append(smooth_top_1(torch.stack([-score / 2, score / 2]), label))
    return sum(losses) / len(losses)


def test_clusters_are_told_apart_as_the_paper_says_bag_by_bag() -> None:
    model = network("clam")
    assert isinstance(model, Clam)
    adapted = torch.randn(len(SIZES), 40, 16)
    mask = torch.arange(40) < torch.tensor(SIZES)[:, None]
    with torch.no_grad():
        weights = model.pool.weights(adapted, mask)
        found = float(model.apart(adapted, weights, mask))
        alone = [
            bag_loss(model, adapted[row, :size], weights[row, :size])
            for row, size in enumerate(SIZES)
            if size > 1
        ]
    assert found == pytest.approx(sum(alone) / 3, rel=1e-5)


def test_clusters_are_asked_for_in_training_alone_and_weigh_three_to_seven() -> None:
    model, batch = network("clam", dropout=0.0), patients()
    assert isinstance(model, Clam)
    assert model(batch).penalty is None
    patches, mask = batch.measured("slide")
    adapted = model.adapter(patches)
    asked = model.apart(adapted, model.pool.weights(adapted, mask), mask)
    torch.testing.assert_close(model.train()(batch).penalty, 0.3 / 0.7 * asked)


def test_attention_of_patches_is_not_moved_by_their_clusters() -> None:
    model = network("clam").train()
    assert isinstance(model, Clam)
    penalty = model(patients()).penalty
    penalty.backward()
    assert model.pool.score.weight.grad is None
    assert model.adapter[0].weight.grad.abs().sum() > 0  # type: ignore[union-attr,operator]
