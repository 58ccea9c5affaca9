"""ABMIL against its equations, patch by patch."""

from __future__ import annotations

import torch

from sequela.models.abmil import Abmil
from tests.models.test_kemm import one, patients
from tests.models.test_peers import network, outputs
from tests.models.test_porpoise import linear


@torch.no_grad()
def test_a_bag_is_the_mean_of_its_patches_by_gated_attention() -> None:
    """Eq. 7 with the weights of eq. 9."""
    model, batch = network("abmil"), one(patients(), 0)
    assert isinstance(model, Abmil)
    pool, patches = model.bag.pool, [linear(model.bag.adapter[0], p) for p in batch.patches[0]]
    total, vector = 0.0, torch.zeros(16)
    for patch in (patch.clamp(min=0) for patch in patches):
        gate = 1 / (1 + (-linear(pool.gate, patch)).exp())
        weight = (pool.score.weight[0] @ (linear(pool.content, patch).tanh() * gate)).exp().item()
        total, vector = total + weight, vector + weight * patch
    found = outputs(model, batch)
    torch.testing.assert_close(found.parts["slide"][0], vector / total)
    torch.testing.assert_close(found.logits[0], linear(model.output, vector / total))
