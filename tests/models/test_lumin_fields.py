"""Whole modalities that are missing, and the fields that the paper has not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from sequela.modalities.batch import Batch
from sequela.models.build import build_model
from sequela.models.lumin import Lumin, LuminConfig
from sequela.models.lumin_variants import variant

MakeBatch = Callable[..., Batch]


def built(config: LuminConfig) -> Lumin:
    torch.manual_seed(0)
    model = build_model(config, 2)
    assert isinstance(model, Lumin)
    return model.eval()


@pytest.mark.parametrize("lacking", ["image", "text"])
@pytest.mark.parametrize("name", ["lumin", "lumin-t", "l-b"])
def test_a_cohort_without_images_or_texts_trains_the_rest(
    name: str, lacking: str, full: LuminConfig, make_batch: MakeBatch
) -> None:
    model = built(variant(name, full.evolve(**{lacking: None}))).train()
    assert not model.config.pretrained_alignment
    batch = make_batch()
    if name != "lumin":
        assert model.config.vectors == tuple({"image", "text"} - {lacking})
    model(batch).logits.square().sum().backward()
    assert [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()] == []
    less = {
        "image": ("views", "view_kind", "view_mask"),
        "text": ("tokens", "token_mask", "text_mask"),
    }
    without = replace(batch, **dict.fromkeys(less[lacking]))  # type: ignore[arg-type]
    model.eval()
    assert torch.equal(model(without).logits, model(batch).logits)


def test_a_trained_model_answers_where_a_whole_modality_is_missing(
    full: LuminConfig, make_batch: MakeBatch
) -> None:
    model, batch = built(full), make_batch()
    hidden = replace(batch, text_mask=torch.zeros_like(batch.text_mask))  # type: ignore[arg-type]
    gone = replace(batch, tokens=None, token_mask=None, text_mask=None)
    torch.testing.assert_close(model(gone).logits, model(hidden).logits)
    assert model(gone).logits.isfinite().all()


def test_modality_dropout_hides_one_of_two_in_training_alone(
    full: LuminConfig, make_batch: MakeBatch
) -> None:
    model, batch = built(full.evolve(modality_dropout=1.0)), make_batch(patients=40)
    assert model.shown(batch).view_mask.equal(batch.view_mask)  # type: ignore[union-attr,arg-type]
    shown = model.train().shown(batch)
    assert shown.view_mask is not None and shown.text_mask is not None
    assert batch.view_mask is not None and batch.text_mask is not None
    both = batch.view_mask.any(dim=(1, 2)) & batch.text_mask.any(dim=1)
    images, texts = shown.view_mask.any(dim=(1, 2)), shown.text_mask.any(dim=1)
    assert (images ^ texts)[both].all() and (images | texts).all()
    assert images[both].any() and texts[both].any()
    assert torch.equal(shown.text_mask[~both], batch.text_mask[~both])


def test_clinical_covariates_are_one_token_and_unknown_values_say_nothing(
    full: LuminConfig, make_batch: MakeBatch
) -> None:
    model = built(full.evolve(clinical=True, covariates=3))
    known = torch.tensor([[True, True, False]] * 5 + [[False] * 3])
    batch = replace(make_batch(), clinical=torch.randn(6, 3), clinical_mask=known)
    output = model(batch)
    assert list(output.parts)[-1] == "clinical"
    assert output.masks["clinical"].tolist() == [True] * 5 + [False]
    spoilt = replace(batch, clinical=torch.where(known, batch.clinical, 1e6))  # type: ignore[arg-type]
    assert torch.equal(model(spoilt).logits, output.logits)
    other = replace(batch, clinical=batch.clinical + 1)  # type: ignore[operator]
    changed = (model(other).logits != output.logits).any(dim=1)
    assert changed.tolist() == [True] * 5 + [False]


@pytest.mark.parametrize("aggregation", ["transformer", "mlp"])
def test_with_every_field_on_every_parameter_receives_a_gradient(
    aggregation: str, full: LuminConfig, make_batch: MakeBatch
) -> None:
    asked = {"decorrelation": 0.1, "alignment": 0.1}
    changes = {"clinical": True, "covariates": 3, "decomposition_loss": asked, "exams": 3}
    model = built(full.evolve(aggregation=aggregation, time_embedding=True, **changes)).train()
    batch = replace(
        make_batch(exams=3), clinical=torch.randn(6, 3), clinical_mask=torch.rand(6, 3) < 0.7
    )
    output = model(batch)
    assert output.penalty is not None and output.penalty.item() > 0
    (output.logits.square().sum() + output.penalty).backward()
    assert [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()] == []
    assert model.eval()(batch).penalty is None
