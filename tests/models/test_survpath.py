"""SurvPath against its equations, token by token."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from sequela.fusion.co_attention import CoAttention
from sequela.models.survpath import SurvPath
from tests.models.test_kemm import one, patients
from tests.models.test_peers import network, outputs
from tests.models.test_porpoise import linear


def looked(attention: CoAttention, query: Tensor, tokens: list[Tensor]) -> Tensor:
    """What one token gathers of some."""
    asked = attention.query.weight @ query
    shares = [
        torch.exp(asked @ (attention.key.weight @ token) / math.sqrt(len(asked)))
        for token in tokens
    ]
    values = [attention.value.weight @ token for token in tokens]
    return torch.stack([s * v for s, v in zip(shares, values, strict=True)]).sum(0) / sum(shares)


@torch.no_grad()
def test_gene_sets_look_at_all_and_patches_at_gene_sets_alone() -> None:
    model, batch = network("survpath"), one(patients(), 0)
    assert isinstance(model, SurvPath)
    genes = [F.layer_norm(token, (16,)) for token in model.genes(batch).values[0]]
    slide = [F.layer_norm(linear(model.patches, patch), (16,)) for patch in batch.patches[0]]
    states = {
        "genes": [looked(model.attention, token, genes + slide) for token in genes],
        "slide": [looked(model.attention, token, genes) for token in slide],
    }
    found = outputs(model, batch)
    for name, tokens in states.items():
        expected = torch.stack([model.feed(token) for token in tokens]).mean(dim=0)
        torch.testing.assert_close(found.parts[name][0], expected, atol=1e-5, rtol=1e-4)
