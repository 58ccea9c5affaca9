"""PORPOISE against its equations, number by number."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sequela.models.porpoise import Kronecker, Porpoise
from tests.models.test_kemm import one, patients
from tests.models.test_peers import network, outputs

DIM, WIDTH = 6, 3


def linear(layer: nn.Module, vector: Tensor) -> Tensor:
    assert isinstance(layer, nn.Linear)
    return layer.weight @ vector + layer.bias


@torch.no_grad()
def test_the_product_holds_every_pair_and_goes_on_with_both_vectors() -> None:
    torch.manual_seed(0)
    fusion = Kronecker(DIM, WIDTH, dropout=0.25).eval()
    vectors = torch.randn(2, DIM)
    sides = []
    for place, vector in enumerate(vectors):
        hidden = linear(fusion.narrow[place], vector).clamp(min=0)
        gate = 1 / (1 + (-linear(fusion.gates[place], vectors.flatten())).exp())
        layer = fusion.gated[place]
        assert isinstance(layer, nn.Sequential)
        sides.append([*linear(layer[0], gate * hidden).clamp(min=0), torch.tensor(1.0)])
    pairs = torch.stack([left * right for left in sides[0] for right in sides[1]])
    product = linear(fusion.product[1], pairs).clamp(min=0)
    expected = linear(fusion.out[0], torch.cat([product, vectors[0], vectors[1]])).clamp(min=0)
    torch.testing.assert_close(fusion(vectors[:1], vectors[1:])[0], expected)
    assert expected.abs().sum() > 0


@torch.no_grad()
def test_a_slide_is_its_attended_mean_through_one_more_layer_and_genes_pass_two_elus() -> None:
    model, batch = network("porpoise"), one(patients(), 0)
    assert isinstance(model, Porpoise)
    adapted = [linear(model.patches[1], patch).clamp(min=0) for patch in batch.patches[0]]
    weights = model.pool.weights(torch.stack(adapted)[None], batch.patch_mask)[0]
    mean = torch.stack([share * patch for share, patch in zip(weights, adapted, strict=True)]).sum(
        0
    )
    parts = outputs(model, batch).parts
    torch.testing.assert_close(parts["slide"][0], linear(model.slide[0], mean).clamp(min=0))
    assert len(mean) == 2 * len(parts["slide"][0])
    genes = torch.cat([batch.genes[0], batch.mutation[0], batch.copy_number[0]])
    for layer in (0, 3):
        genes = F.elu(linear(model.genes[layer], genes))
    torch.testing.assert_close(parts["genes"][0], genes)
