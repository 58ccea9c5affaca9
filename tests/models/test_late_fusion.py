from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch.nn import functional as F

from sequela.modalities.batch import Batch
from sequela.models.build import build_model, model_config, variant
from sequela.models.late_fusion import LateFusion
from sequela.models.lumin import LuminConfig

MakeBatch = Callable[..., Batch]


@pytest.fixture
def model(full: LuminConfig) -> LateFusion:
    torch.manual_seed(0)
    built = build_model(variant("late-fusion", full), 1)
    assert isinstance(built, LateFusion)
    return built.eval()


def test_unstacked_it_is_the_mean_of_both_members(model: LateFusion, make_batch: MakeBatch) -> None:
    batch = make_batch()
    both = (model.of_images(batch).logits + model.of_texts(batch).logits) / 2
    torch.testing.assert_close(model(batch).logits[0], both[0])


def test_who_has_images_or_texts_alone_gets_that_members_answer(
    model: LateFusion, make_batch: MakeBatch
) -> None:
    batch = make_batch()
    assert batch.view_mask is not None and batch.text_mask is not None
    texts = replace(batch, view_mask=torch.zeros_like(batch.view_mask))
    torch.testing.assert_close(model(texts).logits[:3], model.of_texts(texts).logits[:3])
    images = replace(batch, text_mask=torch.zeros_like(batch.text_mask))
    seen = batch.view_mask[:, -1].any(dim=1)
    assert seen[0]
    torch.testing.assert_close(model(images).logits[0], model.of_images(images).logits[0])


def test_stacking_a_binary_head_is_a_logistic_regression_on_both_logits(model: LateFusion) -> None:
    random = torch.Generator().manual_seed(0)
    images, texts = torch.randn(2, 2000, 1, generator=random)
    chance = torch.sigmoid(0.3 * images + 1.4 * texts - 0.5)[:, 0]
    label = (torch.rand(2000, generator=random) < chance).float()
    everyone = torch.ones(2000, dtype=torch.bool)
    model.stack(
        lambda logits: F.binary_cross_entropy_with_logits(logits[:, 0], label),
        *(images, texts, everyone, everyone),
    )
    features = torch.cat([images, texts], dim=1).numpy()
    reference = LogisticRegression(C=1e6).fit(features, label.numpy())
    found = [*model.weights.tolist(), model.intercept.item()]
    assert found == pytest.approx([*reference.coef_[0], reference.intercept_[0]], abs=0.12)


def test_its_configuration_comes_back_from_a_checkpoint(full: LuminConfig) -> None:
    config = variant("late-fusion-stacked", full)
    assert model_config(config.model_dump(mode="json")) == config
