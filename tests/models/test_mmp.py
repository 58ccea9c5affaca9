"""MMP against its equations, token by token."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from sequela.fusion.mixture import mixture_of
from sequela.models.mmp import Mmp
from tests.models.test_kemm import one, patients
from tests.models.test_peers import network, outputs
from tests.models.test_porpoise import linear
from tests.models.test_survpath import looked


@torch.no_grad()
def test_all_look_at_all_each_told_apart_and_fed_by_itself() -> None:
    model, batch = network("mmp"), one(patients(), 0)
    assert isinstance(model, Mmp)
    mixture = mixture_of(batch.patches, batch.patch_mask, model.prototypes)[0]
    tokens = [*(linear(model.slide, row) for row in mixture), *model.genes(batch).values[0]]
    apart = [torch.cat(pair) for pair in zip(tokens, model.kind, strict=True)]
    normed = [F.layer_norm(token, (16 + 32,)) for token in apart]
    states = torch.stack([looked(model.attention, token, normed) for token in normed])
    fed, count = model.feed(states[None])[0], len(mixture)
    found = outputs(model, batch)
    torch.testing.assert_close(found.parts["slide"][0], fed[:count].mean(0), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(found.parts["genes"][0], fed[count:].mean(0), atol=1e-5, rtol=1e-4)
