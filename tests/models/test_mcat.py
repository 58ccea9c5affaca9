"""MCAT against its equations, token by token."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sequela.encoders.pathway import PathwayEncoder
from sequela.fusion.gated_pooling import GatedPooling
from sequela.fusion.pooled_set import PooledSet
from sequela.models.mcat import Mcat
from tests.models.test_kemm import one, patients
from tests.models.test_peers import network, outputs
from tests.models.test_porpoise import linear


def co_attention(model: Mcat, genes: Tensor, patches: Tensor) -> Tensor:
    """Eq. 3: each gene set's weights over all patches, and what they gather."""
    attention, gathered = model.attention, []
    for gene in genes:
        query = attention.query.weight @ gene  # type: ignore[operator,union-attr]
        keys = [attention.key.weight @ patch for patch in patches]  # type: ignore[operator,union-attr]
        values = [attention.value.weight @ patch for patch in patches]  # type: ignore[operator,union-attr]
        shares = [torch.exp(query @ key / math.sqrt(len(query))) for key in keys]
        pairs = zip(shares, values, strict=True)
        gathered.append(torch.stack([s * v for s, v in pairs]).sum(dim=0) / sum(shares))
    return torch.stack(gathered)


def transformed(layer: nn.TransformerEncoderLayer, tokens: Tensor) -> Tensor:
    """Attention of two heads, then two layers with ReLU; each added, then normalised."""
    inside, dim = layer.self_attn, tokens.shape[1]
    query, key, value = (tokens @ inside.in_proj_weight.T + inside.in_proj_bias).chunk(3, dim=1)
    heads = []
    for head in range(2):
        own = slice(head * dim // 2, (head + 1) * dim // 2)
        scores = query[:, own] @ key[:, own].T / math.sqrt(dim // 2)
        heads.append(scores.softmax(dim=1) @ value[:, own])
    tokens = F.layer_norm(tokens + inside.out_proj(torch.cat(heads, dim=1)), (dim,))
    wide = layer.linear1(tokens).clamp(min=0)
    assert wide.shape[1] == 2 * dim
    return F.layer_norm(tokens + layer.linear2(wide), (dim,))


def pooled(module: PooledSet, tokens: Tensor) -> Tensor:
    """Two layers, gated attention (Ilse et al., eq. 9), one more layer."""
    for layer in module.layers.layers:
        assert isinstance(layer, nn.TransformerEncoderLayer)
        tokens = transformed(layer, tokens)
    pool = module.pool
    assert isinstance(pool, GatedPooling)
    scores = [
        pool.score.weight[0] @ (torch.tanh(pool.content(token)) * torch.sigmoid(pool.gate(token)))
        for token in tokens
    ]
    shares = torch.stack(scores).softmax(dim=0)
    return linear(module.out[0], shares @ tokens).clamp(min=0)


@torch.no_grad()
def test_a_patient_passes_the_papers_equations() -> None:
    model, batch = network("mcat"), one(patients(), 0)
    assert isinstance(model, Mcat)
    genes = model.genes(batch).values[0]
    patches = torch.stack([linear(model.patches[0], p).clamp(min=0) for p in batch.patches[0]])
    slide = pooled(model.of_slide, co_attention(model, genes, patches))
    both = torch.cat([slide, pooled(model.of_genes, genes)])
    hidden = linear(model.fusion[2], linear(model.fusion[0], both).clamp(min=0)).clamp(min=0)
    found = outputs(model, batch)
    torch.testing.assert_close(found.parts["slide"][0], slide, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(found.logits[0], linear(model.output, hidden), atol=1e-5, rtol=1e-4)


def test_gates_drop_units_in_training_and_gene_sets_pass_elus() -> None:
    model = network("mcat")
    assert isinstance(model, Mcat)
    for module in (model.of_slide, model.of_genes):
        assert module.pool.dropout.p == 0.25
        assert len(module.layers.layers) == 2
    of_genes = model.genes.networks["genes"]
    assert isinstance(of_genes, PathwayEncoder)
    assert of_genes.rival
