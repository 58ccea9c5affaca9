from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace

import pytest
import torch
import torch.nn.functional as F

from sequela.modalities.batch import Batch, collate
from sequela.models.build import build_model, model_config, parameter_groups, variant
from sequela.models.lumin import LuminConfig
from sequela.models.mirai import Mirai

MakeBatch = Callable[..., Batch]
RIVALS = ("mirai", "lomar")


def built(name: str, full: LuminConfig) -> Mirai:
    torch.manual_seed(0)
    model = build_model(variant(name, full), 6)
    assert isinstance(model, Mirai)
    return model.eval()


def row(batch: Batch, chosen: int) -> Batch:
    named = {field.name: getattr(batch, field.name) for field in fields(Batch)}
    return Batch(**{name: value[[chosen]] for name, value in named.items() if value is not None})


@pytest.mark.parametrize("name", RIVALS)
def test_every_parameter_receives_a_gradient(
    name: str, full: LuminConfig, make_batch: MakeBatch
) -> None:
    model, batch = built(name, full).train(), make_batch()
    assert batch.view_mask is not None
    batch.view_mask[4, 1] = False
    model(batch).logits.square().sum().backward()
    assert [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()] == []
    assert set(parameter_groups(model)) == {"image", "new"}


@pytest.mark.parametrize("name", RIVALS)
def test_a_patient_alone_equals_the_patient_in_a_batch(
    name: str, full: LuminConfig, make_batch: MakeBatch
) -> None:
    model, batch = built(name, full), make_batch()
    batch = collate([batch, make_batch(patients=3, exams=4)])
    alone = torch.cat([model(row(batch, place)).logits for place in range(len(batch))])
    torch.testing.assert_close(model(batch).logits, alone, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", RIVALS)
def test_masked_views_and_their_order_change_nothing(
    name: str, full: LuminConfig, make_batch: MakeBatch
) -> None:
    model, batch = built(name, full), make_batch()
    assert batch.views is not None and batch.view_mask is not None and batch.view_kind is not None
    spoilt = replace(
        batch,
        views=torch.where(batch.view_mask[..., None, None], batch.views, 255 - batch.views),
        view_kind=torch.where(batch.view_mask, batch.view_kind, 77),
    )
    assert torch.equal(model(spoilt).logits, model(batch).logits)
    order = torch.tensor([2, 0, 3, 1])
    shuffled = replace(
        batch,
        views=batch.views[:, :, order],
        view_kind=batch.view_kind[:, :, order],
        view_mask=batch.view_mask[:, :, order],
    )
    torch.testing.assert_close(model(shuffled).logits, model(batch).logits, atol=1e-5, rtol=1e-5)


def test_which_view_an_image_is_matters(full: LuminConfig, make_batch: MakeBatch) -> None:
    model, batch = built("mirai", full), make_batch()
    assert batch.view_kind is not None
    renamed = replace(batch, view_kind=batch.view_kind.flip(2))
    assert not torch.allclose(model(renamed).logits, model(batch).logits)


def test_one_sees_the_last_exam_and_the_other_all_and_when_they_were(
    full: LuminConfig, make_batch: MakeBatch
) -> None:
    batch = make_batch()
    assert batch.views is not None
    earlier = replace(batch, views=batch.views.clone())
    assert earlier.views is not None
    earlier.views[0, 0] = 0
    later = replace(batch, day=batch.day * 3)
    mirai, lomar = built("mirai", full), built("lomar", full)
    for changed in (earlier, later):
        assert torch.equal(mirai(changed).logits[0], mirai(batch).logits[0])
        assert not torch.equal(lomar(changed).logits[0], lomar(batch).logits[0])


@pytest.mark.parametrize("name", RIVALS)
def test_eight_patients_can_be_learnt_by_heart(
    name: str, full: LuminConfig, make_batch: MakeBatch
) -> None:
    batch = make_batch(patients=8)
    label = torch.tensor([0.0, 1, 0, 1, 1, 0, 0, 1])
    model = built(name, full.evolve(dropout=0.0)).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(60):
        optimizer.zero_grad()
        loss = F.binary_cross_entropy_with_logits(model(batch).logits[:, 0], label)
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.05


def test_it_comes_with_its_own_head_and_its_configuration_comes_back(full: LuminConfig) -> None:
    config = variant("lomar", full)
    assert config.head is not None and config.head.kind == "additive-hazard"
    assert model_config(config.model_dump(mode="json")) == config
    assert config.exams == 2 and variant("mirai", full).exams == 1
