"""Tokens of all modalities side by side ask as each modality would by itself."""

from __future__ import annotations

import torch
from torch import Tensor

from sequela.fusion.kecm import Asking, Exchange, Masked

DIM, LENGTHS = 8, (3, 5, 2)
SOURCE = torch.arange(len(LENGTHS)).repeat_interleave(torch.tensor(LENGTHS))


def tokens_of(patients: int) -> Masked:
    torch.manual_seed(1)
    count = sum(LENGTHS)
    mask = torch.rand(patients, count) < 0.7
    mask[0] = SOURCE == 1
    return Masked(torch.randn(patients, count, DIM), mask)


def one_by_one(layer: Exchange, tokens: Masked) -> Tensor:
    """Each modality's tokens, a patient at a time, ask what the patient has of the others."""
    rows = []
    for values, mask in zip(tokens.values, tokens.mask, strict=True):
        row = values.clone()
        for place in range(len(LENGTHS)):
            own, others = place == SOURCE, mask & (place != SOURCE)
            if others.any():
                asked, of = layer.before(values[own])[None], layer.before(values[others])[None]
                everything = torch.ones(of.shape[:2], dtype=torch.bool)
                row[own] = row[own] + layer.attention(asked, of, everything)[0]
        rows.append(row + layer.forward_layer(layer.between(row)))
    return torch.stack(rows)


def test_all_modalities_at_once_exchange_as_one_after_another() -> None:
    torch.manual_seed(0)
    layer, tokens = Exchange(DIM, heads=2, dropout=0.0), tokens_of(4)
    results = []
    for found in (layer(tokens, SOURCE).values, one_by_one(layer, tokens)):
        weights = list(layer.parameters())
        results.append([found, *torch.autograd.grad(found.square().sum(), weights)])
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_tokens_that_no_patient_has_can_be_left_out() -> None:
    torch.manual_seed(0)
    asking, tokens = Asking(DIM, DIM, heads=2, dropout=0.0), tokens_of(2)
    values = Masked(torch.randn(2, 9, DIM), torch.ones((2, 9), dtype=torch.bool))
    kept, places = tokens.of_anyone()
    assert 0 < len(places) < len(SOURCE)
    assert not tokens.mask.any(dim=0)[~torch.isin(torch.arange(len(SOURCE)), places)].any()
    whole, less = asking(tokens, values), asking(kept, values)
    torch.testing.assert_close(less.values, whole.values[:, places])
    assert torch.equal(less.mask, whole.mask[:, places])
