from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace

import pytest
import torch
import torch.nn.functional as F

from sequela.encoders.text import resolved
from sequela.errors import UsageError
from sequela.fusion.timeline import latest_exams, timeline_of
from sequela.modalities.batch import Batch, collate
from sequela.models.build import build_model, parameter_groups
from sequela.models.lumin import CROSS_MODAL, TEMPORAL, Lumin, LuminConfig
from sequela.models.lumin_variants import VARIANTS, variant

MakeBatch = Callable[..., Batch]


def rows(batch: Batch, chosen: list[int]) -> Batch:
    return Batch(
        **{
            field.name: value[chosen]
            for field in fields(Batch)
            if (value := getattr(batch, field.name)) is not None
        }
    )


def built(config: LuminConfig, logits: int = 2) -> Lumin:
    torch.manual_seed(0)
    model = build_model(config, logits)
    assert isinstance(model, Lumin)
    return model.eval()


@pytest.mark.parametrize("name", VARIANTS)
def test_every_parameter_of_every_variant_receives_a_gradient(
    name: str, full: LuminConfig, make_batch: MakeBatch
) -> None:
    model = built(variant(name, full)).train()
    batch = make_batch()
    if "second" not in name and model.config.exams == 1:
        # What is seen is the last exam: let one of them miss its views, one its text.
        assert batch.view_mask is not None
        batch.view_mask[4, 1] = False
    model(batch).logits.square().sum().backward()
    without = [
        parameter_name
        for parameter_name, parameter in model.named_parameters()
        if parameter.grad is None or not parameter.grad.any()
    ]
    assert without == []


@pytest.mark.parametrize("name", VARIANTS)
def test_a_patient_alone_equals_the_patient_in_a_batch(
    name: str, full: LuminConfig, make_batch: MakeBatch
) -> None:
    model, batch = built(variant(name, full)), make_batch()
    alone = torch.cat([model(rows(batch, [row])).logits for row in range(len(batch))])
    torch.testing.assert_close(model(batch).logits, alone, atol=1e-5, rtol=1e-5)


def test_padding_of_a_batch_changes_nothing(full: LuminConfig, make_batch: MakeBatch) -> None:
    model, batch = built(full), make_batch(patients=3)
    longer = collate([batch, make_batch(patients=3, exams=4)])
    torch.testing.assert_close(model(longer).logits[:3], model(batch).logits, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", ["lumin", "l-b"])
def test_garbage_in_masked_slots_changes_nothing(
    name: str, full: LuminConfig, make_batch: MakeBatch
) -> None:
    model, batch = built(variant(name, full)), make_batch()
    assert batch.views is not None and batch.view_mask is not None and batch.tokens is not None
    assert batch.token_mask is not None and batch.text_mask is not None
    words = batch.token_mask & batch.text_mask[:, :, None]
    spoilt = replace(
        batch,
        day=torch.where(batch.exam_mask, batch.day, 1e6),
        views=torch.where(batch.view_mask[..., None, None], batch.views, 255 - batch.views),
        view_kind=torch.where(batch.view_mask, batch.view_kind, 77),  # type: ignore[arg-type]
        tokens=torch.where(words, batch.tokens, 10**6),
    )
    assert not torch.equal(spoilt.views, batch.views)  # type: ignore[arg-type]
    torch.testing.assert_close(model(spoilt).logits, model(batch).logits, rtol=0, atol=0)


def test_view_order_changes_nothing(full: LuminConfig, make_batch: MakeBatch) -> None:
    model, batch = built(full), make_batch()
    order = torch.tensor([2, 0, 3, 1])
    shuffled = replace(
        batch,
        views=batch.views[:, :, order],  # type: ignore[index]
        view_kind=batch.view_kind[:, :, order],  # type: ignore[index]
        view_mask=batch.view_mask[:, :, order],  # type: ignore[index]
    )
    torch.testing.assert_close(model(shuffled).logits, model(batch).logits, atol=1e-5, rtol=1e-5)


def test_images_as_bytes_and_as_floats_are_the_same(
    full: LuminConfig, make_batch: MakeBatch
) -> None:
    model, batch = built(full), make_batch()
    assert batch.views is not None
    floats = replace(batch, views=batch.views.float() / 255)
    torch.testing.assert_close(model(floats).logits, model(batch).logits, atol=1e-5, rtol=1e-5)


def test_tokens_are_named_by_part_and_exam_and_the_absent_are_told(
    full: LuminConfig, make_batch: MakeBatch
) -> None:
    output = built(full)(make_batch())
    expected = [f"{part}@{exam}" for exam in (1, 2) for part in CROSS_MODAL] + list(TEMPORAL)
    assert list(output.parts) == list(output.masks) == expected
    absent = {name for name, mask in output.masks.items() if not mask[1]}
    assert absent == {f"{part}@1" for part in CROSS_MODAL} | {"varying", "first"}
    assert all(mask[0] for mask in output.masks.values())


def test_two_exams_through_the_form_for_many_are_the_papers_form(
    full: LuminConfig, make_batch: MakeBatch
) -> None:
    paper = built(full)
    many = built(full.evolve(exams=4))
    account = many.load_state_dict(paper.state_dict(), strict=False)
    assert account.missing_keys == ["temporal.parts.varying.attention.weight"]
    batch = rows(make_batch(), [0, 2, 3, 4, 5])
    ours, theirs = many(batch), paper(batch)
    names = {name.replace("@2", "@4"): name for name in theirs.parts}
    for name, short in names.items():
        assert torch.equal(ours.parts[name], theirs.parts[short]), name
    assert torch.equal(ours.logits, theirs.logits)


def test_exams_before_the_last_ones_are_not_seen(full: LuminConfig, make_batch: MakeBatch) -> None:
    model, batch = built(full), make_batch(exams=4)
    spoilt = replace(batch, views=batch.views.clone())  # type: ignore[union-attr]
    spoilt.views[0, :2] = 0  # type: ignore[index]
    assert torch.equal(model(batch).logits[0], model(spoilt).logits[0])
    spoilt.views[0, 2] = 0  # type: ignore[index]
    assert not torch.equal(model(batch).logits[0], model(spoilt).logits[0])


def test_more_exams_matter_where_more_are_seen(full: LuminConfig, make_batch: MakeBatch) -> None:
    model, batch = built(full.evolve(exams=4, time_embedding=True)), make_batch(exams=4)
    spoilt = replace(batch, views=batch.views.clone())  # type: ignore[union-attr]
    spoilt.views[0, 1] = 0  # type: ignore[index]
    assert not torch.equal(model(batch).logits[0], model(spoilt).logits[0])
    output = model(batch)
    assert {"first", "between@2", "between@3", "second", "image@3"} <= set(output.parts)
    moved = replace(batch, day=batch.day * torch.tensor([1.0, 2.0, 1.0, 1.0]))
    assert not torch.equal(output.logits[0], model(moved).logits[0])


def test_swapped_exams_swap_their_tokens_and_leave_what_stays(
    full: LuminConfig, make_batch: MakeBatch
) -> None:
    model, batch = built(full), make_batch()
    first, second = (model.temporal.parts[name] for name in ("first", "second"))  # type: ignore[union-attr]
    second.load_state_dict(first.state_dict())
    swapped = Batch(
        **{
            field.name: value if field.name == "day" else value.flip(1)
            for field in fields(Batch)
            if (value := getattr(batch, field.name)) is not None
        }
    )
    ours, theirs = model(batch).parts, model(swapped).parts
    for part in CROSS_MODAL:
        torch.testing.assert_close(ours[f"{part}@1"][0], theirs[f"{part}@2"][0])
    torch.testing.assert_close(ours["invariant"][0], theirs["invariant"][0])
    torch.testing.assert_close(ours["first"][0], theirs["second"][0])
    assert not torch.allclose(ours["varying"][0], theirs["varying"][0])


@pytest.mark.parametrize("orientation", ["literal", "cohort-individual"])
def test_both_orientations_of_the_gate_can_be_had(
    orientation: str, full: LuminConfig, make_batch: MakeBatch
) -> None:
    model = built(full.evolve(gate=orientation))
    other = built(full)
    other.load_state_dict(model.state_dict())
    same = torch.equal(model(make_batch()).logits, other(make_batch()).logits)
    assert same == (orientation == "literal")


@pytest.mark.parametrize("name", [name for name in VARIANTS if "-without-" in name])
def test_each_ablation_has_fewer_parameters(name: str, full: LuminConfig) -> None:
    def count(config: LuminConfig) -> int:
        return sum(parameter.numel() for parameter in built(config).parameters())

    whole = name.partition("-without-")[0]
    if name == "lumin-without-pretraining":
        assert variant(name, full) == variant(whole, full).evolve(pretrained_alignment=False)
    else:
        assert count(variant(name, full)) < count(variant(whole, full)) < count(full)


def test_the_rows_of_the_papers_tables_are_the_named_variants() -> None:
    assert set(VARIANTS) == {
        *("resnet50", "st-i", "st-r", "st-b", "l-b", "lumin-m", "lumin-t", "lumin"),
        "lumin-without-pretraining",
        *(f"lumin-m-without-{part}" for part in CROSS_MODAL),
        *(f"lumin-t-without-{part}" for part in TEMPORAL),
    }
    without_cm, without_te = VARIANTS["lumin-t"], VARIANTS["lumin-m"]
    assert (without_cm.cross_modal, without_cm.temporal) == ((), TEMPORAL)
    assert (without_te.cross_modal, without_te.temporal) == (CROSS_MODAL, ())
    assert VARIANTS["resnet50"].evolve(pretrained_alignment=True) == VARIANTS["st-i"]


def test_a_variant_that_reads_what_the_model_lacks_is_refused(full: LuminConfig) -> None:
    images = full.evolve(text=None)
    assert variant("st-i", images).text is None
    with pytest.raises(UsageError, match="st-r reads texts"):
        variant("st-r", images)
    with pytest.raises(UsageError, match="no variant"):
        variant("lumen", full)


@pytest.mark.parametrize("name", VARIANTS)
def test_eight_patients_can_be_learnt_by_heart(
    name: str, full: LuminConfig, make_batch: MakeBatch
) -> None:
    batch = make_batch(patients=8)
    label = torch.tensor([0.0, 1, 0, 1, 1, 0, 0, 1])
    model = built(variant(name, full.evolve(dropout=0.0)), logits=1).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(60):
        optimizer.zero_grad()
        loss = F.binary_cross_entropy_with_logits(model(batch).logits[:, 0], label)
        if loss.item() < 0.05:
            break
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.05


def test_parameter_groups_hold_every_parameter_once(full: LuminConfig) -> None:
    model = built(full)
    groups = parameter_groups(model)
    together = [id(parameter) for group in groups.values() for parameter in group]
    assert sorted(together) == sorted(id(parameter) for parameter in model.parameters())
    assert set(groups) == {"image", "text", "new"}
    assert model.image is not None
    assert not {id(p) for p in model.image.projection.parameters()} & {
        id(p) for p in groups["image"]
    }


def test_a_checkpoint_needs_nothing_but_the_configuration(
    full: LuminConfig, make_batch: MakeBatch
) -> None:

    assert full.text is not None
    stated = resolved(full.text).evolve(encoder="gone")
    elsewhere = full.evolve(text=stated)
    model = build_model(elsewhere, 2, initial_weights=False).eval()
    first = built(full)
    model.load_state_dict(first.state_dict())
    batch = make_batch()
    assert torch.equal(model(batch).logits, first(batch).logits)


def test_slots_hold_the_oldest_exam_first_and_the_landmarks_last() -> None:
    day = torch.tensor([[-900.0, -300.0, 0.0, 5.0], [0.0, 9.0, 9.0, 9.0]])
    mask = torch.tensor([[True, True, True, False], [True, False, False, False]])
    seen = latest_exams(Batch(day=day, exam_mask=mask), 5)
    assert seen.exam_mask.tolist() == [
        [True, False, False, True, True],
        [False, False, False, False, True],
    ]
    assert seen.day[0].tolist() == [-900.0, 0.0, 0.0, -300.0, 0.0]
    position = timeline_of(seen).position[0][seen.exam_mask[0]]
    torch.testing.assert_close(position, torch.tensor([0.0, 2 / 3, 1.0]))
