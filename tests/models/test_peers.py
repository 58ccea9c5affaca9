"""Laws of KEMM's rivals: company, padding and order of patches change nothing where they must not.

The drawing of each comes from its paper, cited in its file.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace

import pytest
import torch
from torch import Tensor, nn

from sequela.errors import UsageError
from sequela.fusion.kecm import Masked
from sequela.modalities.batch import Batch
from sequela.models.build import build_model, describe_variants, variant
from sequela.models.cmta import SetEncoder
from sequela.models.kemm_config import MODALITIES, KemmConfig
from sequela.models.mcat import Mcat
from sequela.models.mmp import Mmp
from sequela.models.output import Output
from sequela.models.peer_config import DESIGNS, Design, PeerConfig
from sequela.models.survpath import SurvPath
from tests.models.test_kemm import PATIENTS, SHAPE, one, patients

ORDERED: set[Design] = {"transmil", "cmta"}
"""Designs whose paper gives patches a place, so that their order tells."""
IN_SLIDES = tuple(name for name in DESIGNS if name not in ("snn", "text-only"))
BOTH = tuple(name for name in IN_SLIDES if name not in ("abmil", "clam", "transmil", "mean-fusion"))
THERE = dict.fromkeys(MODALITIES, True)


def network(design: Design, **changes: object) -> nn.Module:
    torch.manual_seed(0)
    full = PeerConfig(design=design, dim=16, hidden=4, heads=2, shape=SHAPE, **changes)  # type: ignore[arg-type]
    return build_model(full.reads_of(THERE), logits=4).eval()


def outputs(model: nn.Module, batch: Batch) -> Output:
    with torch.no_grad():
        output: Output = model(batch)
    return output


def changed(batch: Batch, change: Callable[[Tensor, Tensor], Tensor]) -> Batch:
    """The batch with every value changed as its mask says."""
    made = {}
    for modality in MODALITIES:
        values, mask = batch.measured(modality)
        (name,) = (field.name for field in fields(batch) if getattr(batch, field.name) is values)
        made[name] = change(values, mask.reshape(*mask.shape, *[1] * (values.ndim - mask.ndim)))
    return replace(batch, **made)


@pytest.mark.parametrize("design", DESIGNS)
def test_a_patient_alone_equals_the_patient_in_a_batch(design: Design) -> None:
    model, batch = network(design), patients()
    together = outputs(model, batch).logits
    alone = torch.cat([outputs(model, one(batch, row)).logits for row in range(PATIENTS)])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)
    assert torch.isfinite(together).all()
    assert len({tuple(row) for row in together[[0, 3, 4]].tolist()}) == 3


@pytest.mark.parametrize("design", DESIGNS)
def test_what_is_masked_is_not_looked_at(design: Design) -> None:
    model, batch = network(design), patients()
    other = changed(batch, lambda values, mask: torch.where(mask, values, 99.0))
    torch.testing.assert_close(outputs(model, other).logits, outputs(model, batch).logits)


@pytest.mark.parametrize("design", DESIGNS)
def test_padding_changes_nothing(design: Design) -> None:
    model, batch = network(design), patients()
    wide = replace(
        batch,
        patches=nn.functional.pad(batch.patches, (0, 0, 0, 5)),
        patch_mask=nn.functional.pad(batch.patch_mask, (0, 5)),
    )
    torch.testing.assert_close(outputs(model, wide).logits, outputs(model, batch).logits)


@pytest.mark.parametrize("design", IN_SLIDES)
def test_the_order_of_patches_tells_only_where_the_paper_gives_them_a_place(
    design: Design,
) -> None:
    model, batch = network(design), one(patients(), 0)
    assert batch.patches is not None
    turned = replace(batch, patches=batch.patches[:, torch.randperm(9)])
    far = (outputs(model, turned).logits - outputs(model, batch).logits).abs().max()
    assert (far > 1e-4) == (design in ORDERED)


@pytest.mark.parametrize("design", DESIGNS)
def test_each_modality_that_is_read_changes_the_answer_and_no_other_does(design: Design) -> None:
    """Of some patient: in so small a network all units of one may be silent."""
    model, batch = network(design), patients()
    config = PeerConfig(design=design)
    before = outputs(model, batch).logits
    for modality in MODALITIES:
        values, _ = batch.measured(modality)
        (name,) = (field.name for field in fields(batch) if getattr(batch, field.name) is values)
        after = outputs(model, replace(batch, **{name: values * 2 + 1})).logits
        assert torch.equal(after, before) == (modality not in config.modalities), modality


@pytest.mark.parametrize("design", DESIGNS)
def test_a_modality_that_a_patient_lacks_is_zeros_and_said_to_be_lacking(design: Design) -> None:
    model, batch = network(design), patients()
    batch = replace(
        batch,
        mutation_mask=batch.mutation_mask & batch.gene_mask[:, :1],
        copy_number_mask=batch.copy_number_mask & batch.gene_mask[:, :1],
    )
    output = outputs(model, batch)
    lacking = {
        "slide": ~batch.patch_mask.any(dim=1),
        "genes": ~batch.gene_mask.any(dim=1),
        "report": ~batch.field_mask.any(dim=1),
        "clinical": ~batch.clinical_mask.any(dim=1),
    }
    assert output.parts
    for name, part in output.parts.items():
        gone = lacking[name]
        assert (part[gone] == 0).all()
        assert not output.masks[name][gone].any()
        assert (part[~gone & output.masks[name]] != 0).any(dim=1).all()


@pytest.mark.parametrize("design", DESIGNS)
def test_every_weight_learns(design: Design) -> None:
    model = network(design).train()
    output = model(patients())
    loss = output.logits.square().sum() + (0.0 if output.penalty is None else output.penalty)
    loss.backward()
    idle = {
        name
        for name, weight in model.named_parameters()
        if weight.grad is None or not weight.grad.abs().sum()
    }
    assert idle == set()


@pytest.mark.parametrize("design", DESIGNS)
def test_eight_patients_are_learned_by_heart(design: Design) -> None:
    batch = patients().rows(0, 1)
    torch.manual_seed(1)
    eight = Batch(
        **{
            name: torch.randn(8, *value.shape[1:])
            if value.is_floating_point()
            else value.expand(8, *value.shape[1:])
            for name, value in vars(batch).items()
            if value is not None
        }
    )
    eight = replace(eight, field_mask=torch.ones_like(eight.field_mask))
    asked = torch.tensor([1.0, -1.0]).repeat(4)
    model = network(design, dropout=0.0).train()
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(150):
        loss = (model(eight).logits[:, 0] - asked).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if loss < 0.02:
            break
    assert loss < 0.02


@pytest.mark.parametrize("design", BOTH)
def test_a_cohort_without_what_a_design_needs_is_refused(design: Design) -> None:
    asked = variant(design)
    assert isinstance(asked, PeerConfig)
    with pytest.raises(UsageError, match=f"variant {design} reads slide features"):
        asked.reads_of({"genes": True})
    with pytest.raises(UsageError, match="a table of expression, mutation or copy number"):
        asked.reads_of({"slide": True})
    assert asked.reads_of({"slide": True, "mutation": True}).reads == ("slide", "mutation")


def test_rivals_are_named_described_and_stand_under_the_head_of_the_study() -> None:
    assert set(DESIGNS) <= set(describe_variants())
    kemm = KemmConfig()
    for design in DESIGNS:
        asked = variant(design, kemm)
        assert isinstance(asked, PeerConfig)
        assert asked.head == kemm.head


@pytest.mark.parametrize("design", ["survpath", "mmp"])
def test_tokens_are_what_passed_the_feed_forward_and_nothing_goes_round_it(design: Design) -> None:
    """As published; with a residual way, patients would still differ."""
    model, batch = network(design), patients()
    assert isinstance(model, SurvPath | Mmp)
    last = model.feed.second if isinstance(model, Mmp) else model.feed[4].weight
    assert isinstance(last, nn.Parameter)
    nn.init.zeros_(last)
    whole = batch.patch_mask.any(dim=1) & batch.gene_mask.any(dim=1)
    logits = outputs(model, batch).logits[whole]
    torch.testing.assert_close(logits, logits[:1].expand_as(logits))


def test_gene_sets_of_cmta_pass_attention_alone() -> None:
    """Two residual layers of attention and a norm: silent attention leaves the normed tokens."""
    torch.manual_seed(0)
    encoder = SetEncoder(8, 2, 0.0).eval()
    for attention in encoder.attentions:
        nn.init.zeros_(attention.out_proj.weight)
        nn.init.zeros_(attention.out_proj.bias)
    tokens = Masked(torch.randn(2, 3, 8), torch.ones(2, 3, dtype=torch.bool))
    vector, states = encoder(tokens)
    torch.testing.assert_close(states.values, nn.functional.layer_norm(tokens.values, (8,)))
    torch.testing.assert_close(vector, nn.functional.layer_norm(encoder.summary, (8,)).expand(2, 8))


def test_attention_sums_to_one_over_what_is_there() -> None:
    batch = patients()
    for design in ("mcat", "survpath"):
        model = network(design)
        assert isinstance(model, Mcat | SurvPath)
        values = Masked(model.patches(batch.patches), batch.patch_mask)
        queries = model.genes(batch)
        weights = model.attention.weights(queries, values)
        assert (weights.transpose(1, 2)[~batch.patch_mask] == 0).all()
        has = batch.patch_mask.any(dim=1)
        torch.testing.assert_close(weights[has].sum(dim=2), torch.ones_like(weights[has][:, :, 0]))
        gathered = model.attention(queries, values).values
        torch.testing.assert_close(gathered, weights @ model.attention.value(values.values))
