from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from sequela.errors import DataError
from sequela.modalities.batch import Batch
from sequela.models.build import build_model, variant
from sequela.models.contrastive import (
    AlignmentModel,
    equal_rows,
    load_aligned,
    symmetric_info_nce,
)
from sequela.models.lumin import LuminConfig


@pytest.fixture
def model(full: LuminConfig) -> AlignmentModel:
    assert full.image is not None and full.text is not None
    torch.manual_seed(1)
    return AlignmentModel(full.image, full.text, full.dim)


def loop_reference(similarity: np.ndarray, names: list[int]) -> float:
    """Eq. 3 term by term; an equal text of another exam is left out of each sum."""
    total, count = 0.0, len(similarity)
    for i in range(count):
        others = [j for j in range(count) if j == i or names[j] != names[i]]
        total += np.log(np.exp(similarity[i, i]) / sum(np.exp(similarity[i, j]) for j in others))
        total += np.log(np.exp(similarity[i, i]) / sum(np.exp(similarity[j, i]) for j in others))
    return -total / (2 * count)


@pytest.mark.parametrize("names", [[0, 1, 2, 3, 4], [0, 1, 0, 2, 0]])
def test_the_loss_equals_a_loop_over_pairs(names: list[int]) -> None:
    torch.manual_seed(0)
    images, texts = (F.normalize(torch.randn(5, 7, dtype=torch.float64), dim=1) for _ in "it")
    scale = torch.tensor(3.0, dtype=torch.float64)
    equal = equal_rows(torch.tensor(names)[:, None])
    ours = symmetric_info_nce(images, texts, scale, equal)
    similarity = (scale * images @ texts.T).numpy()
    np.testing.assert_allclose(ours.item(), loop_reference(similarity, names))


def test_exams_of_equal_text_do_not_push_each_other_away() -> None:
    images = F.normalize(torch.randn(3, 4), dim=1).requires_grad_()
    texts = F.normalize(torch.randn(3, 4), dim=1)
    scale = torch.tensor(5.0)
    loss = symmetric_info_nce(images, texts, scale, equal_rows(torch.tensor([[1], [1], [1]])))
    loss.backward()
    assert loss.item() == 0
    assert images.grad is not None and not images.grad.any()


def test_the_temperature_begins_at_the_papers_and_has_a_floor(model: AlignmentModel) -> None:
    torch.testing.assert_close(model.scale, torch.tensor(1 / 0.07))
    with torch.no_grad():
        model.log_scale.fill_(20.0)
    assert model.scale == 100


def test_only_exams_with_image_and_text_are_pairs(
    model: AlignmentModel, make_batch: Callable[..., Batch]
) -> None:
    batch = make_batch()
    assert batch.view_mask is not None and batch.text_mask is not None
    images, texts, words = model(batch)
    expected = int((batch.view_mask.any(2) & batch.text_mask & batch.exam_mask).sum())
    assert len(images) == len(texts) == len(words) == expected < batch.exam_mask.numel()
    torch.testing.assert_close(images.norm(dim=1), torch.ones(expected))


def test_texts_are_told_apart_by_their_tokens(
    model: AlignmentModel, make_batch: Callable[..., Batch]
) -> None:
    model.eval()
    batch = make_batch()
    count = len(model(batch)[0])
    torch.testing.assert_close(model.loss(batch), model.loss(batch, torch.arange(count)))
    assert model.loss(batch) != model.loss(batch, torch.zeros(count, dtype=torch.int64))


def test_every_parameter_but_the_unseen_learns_from_alignment(
    model: AlignmentModel, make_batch: Callable[..., Batch]
) -> None:
    model.loss(make_batch()).backward()
    assert [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()] == []


@pytest.mark.parametrize("name", ["lumin", "st-i", "st-r"])
def test_aligned_encoders_reach_every_variant(
    name: str, model: AlignmentModel, full: LuminConfig
) -> None:
    target = build_model(variant(name, full), 1)
    account = load_aligned(target, model.state_dict())
    state = target.state_dict()
    encoders = {key for key in state if key.startswith(("image.", "text."))}
    assert set(account.loaded) == encoders and account.kept == ()
    assert "log_scale" in account.left_out
    assert all(torch.equal(state[key], model.state_dict()[key]) for key in account.loaded)


def test_encoders_of_another_size_are_refused(model: AlignmentModel, full: LuminConfig) -> None:
    other = build_model(full.evolve(dim=8), 1)
    with pytest.raises(DataError) as refusal:
        load_aligned(other, model.state_dict())
    assert "image.projection.weight" in refusal.value.items


def test_a_batch_without_pairs_is_refused(
    model: AlignmentModel, make_batch: Callable[..., Batch]
) -> None:
    batch = make_batch()
    blind = Batch(day=batch.day, exam_mask=batch.exam_mask)
    with pytest.raises(DataError, match="image and text"):
        model.loss(blind)
