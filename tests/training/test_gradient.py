"""Gradient caching: the gradient of the whole batch, a few examples at a time."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from toys import QUICK, ToyModel, toy_fit

from sequela.encoders.image import ImageEncoderConfig
from sequela.encoders.text import TextEncoderConfig
from sequela.errors import UsageError
from sequela.modalities.batch import Batch
from sequela.modalities.text import TextSettings, TinyEncoderSettings, train_tiny_encoder
from sequela.models.contrastive import AlignmentModel
from sequela.training.gradient import Outputs, backward, freeze_norms, require_separable
from sequela.training.loop import fit
from sequela.training.objectives import Alignment, Examples
from sequela.training.sampling import shares

EXAMS = 7
IMAGE = ImageEncoderConfig(name="resnet10t", options={"channels": [8, 8, 8, 8], "stem_width": 4})


@pytest.fixture(autouse=True)
def double() -> Iterator[None]:
    """So exact that rounding cannot hide a wrong gradient."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.fixture
def model(tmp_path: Path) -> AlignmentModel:
    tiny = TinyEncoderSettings(vocabulary=300, layers=1, dim=16, heads=2)
    train_tiny_encoder(["a mass in the breast"], tmp_path, TextSettings(tokens=16, tiny=tiny))
    torch.manual_seed(0)
    made = AlignmentModel(IMAGE, TextEncoderConfig(encoder=str(tmp_path)), 16).double().train()
    for module in made.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)  # type: ignore[union-attr,operator]
    freeze_norms(made)
    return made


def exams() -> Batch:
    random = torch.Generator().manual_seed(3)
    lengths = torch.randint(3, 9, (EXAMS, 1, 1), generator=random)
    views = torch.randint(0, 256, (EXAMS, 1, 4, 32, 32), generator=random, dtype=torch.uint8)
    return Batch(
        day=torch.zeros(EXAMS, 1),
        exam_mask=torch.ones(EXAMS, 1, dtype=torch.bool),
        views=views,
        view_kind=torch.arange(4).expand(EXAMS, 1, 4),
        view_mask=torch.rand((EXAMS, 1, 4), generator=random) < 0.9,
        tokens=torch.randint(5, 200, (EXAMS, 1, 9), generator=random),
        token_mask=torch.arange(9) < lengths,
        text_mask=torch.ones(EXAMS, 1, dtype=torch.bool),
    )


def objective() -> Alignment:
    rows = np.arange(EXAMS)
    patients = tuple(map(str, rows))
    return Alignment(patients, np.array([0, 1, 2, 1, 4, 5, 0]), Examples(rows, rows, EXAMS, 0))


def gradients(model: AlignmentModel, chunk: int | None, seed: int = 0) -> dict[str, torch.Tensor]:
    """By the loop's way of passing a batch."""
    batch, task = exams(), objective()
    (share,) = shares(np.arange(EXAMS), chunk, 1)

    def passing(number: int, start: int, stop: int) -> Outputs:
        torch.manual_seed(seed + number)
        return task.outputs(model, batch.rows(start, stop))

    model.zero_grad()
    pieces = [lambda piece=piece: passing(*piece) for piece in share.pieces]
    backward(model, pieces, lambda found: task.loss(model, found, np.arange(EXAMS)), [EXAMS])
    return {name: p.grad for name, p in model.named_parameters() if p.grad is not None}


def without_dropout(model: AlignmentModel) -> AlignmentModel:
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    return model


def test_the_gradient_is_that_of_the_plain_step(model: AlignmentModel) -> None:
    """The plain step is written out here: one pass, one loss, autograd."""
    model = without_dropout(model)
    images, texts, _ = model(exams())
    objective().loss(model, (images, texts), np.arange(EXAMS)).backward()
    plain = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    assert {"log_scale", "image.backbone.conv1.0.weight"} <= plain.keys()
    for chunk in (1, 2, 3, EXAMS, None):
        cached = gradients(model, chunk)
        assert cached.keys() == plain.keys()
        for name in plain:
            torch.testing.assert_close(cached[name], plain[name], rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("count", [1, 3])
def test_every_piece_but_the_last_passes_twice(count: int) -> None:
    model, passed = torch.nn.Linear(2, 1), []

    def piece(number: int) -> Outputs:
        passed.append(number)
        return (model(torch.ones(1, 2)),)

    pieces = [lambda number=number: piece(number) for number in range(count)]
    backward(model, pieces, lambda found: found[0].sum(), [count])
    assert sorted(passed) == sorted([*range(count), *range(count - 1)])


def test_equal_texts_are_not_contrasted_across_pieces(model: AlignmentModel) -> None:
    rows = np.arange(EXAMS)
    other = replace(objective(), texts=rows)
    found = objective().outputs(model.eval(), exams())
    assert objective().loss(model, found, rows) < other.loss(model, found, rows)


def test_the_second_pass_replays_the_dropout_of_the_first(model: AlignmentModel) -> None:
    """A piece of the loss's derivative along the gradient equals what the loss does."""
    found = gradients(model, 2)
    step = 1e-6

    def loss_at(shift: float) -> float:
        moved = copy.deepcopy(model)
        with torch.no_grad():
            for name, parameter in moved.named_parameters():
                if name in found:
                    parameter += shift * found[name]
        (share,) = shares(np.arange(EXAMS), 2, 1)
        outputs = []
        for number, start, stop in share.pieces:
            torch.manual_seed(number)
            outputs.append(objective().outputs(moved, exams().rows(start, stop)))
        joined = tuple(torch.cat(parts) for parts in zip(*outputs, strict=True))
        return objective().loss(moved, joined, np.arange(EXAMS)).item()

    found = {name: grad.clone() for name, grad in found.items()}
    slope = (loss_at(step) - loss_at(-step)) / (2 * step)
    square = sum(float(grad.square().sum()) for grad in found.values())
    assert slope == pytest.approx(square, rel=1e-5)


def test_pieces_are_refused_where_batch_norm_would_look_at_them() -> None:
    with pytest.raises(UsageError, match="another one") as refusal:
        require_separable(ToyModel(), frozen=False)
    assert "batch_norm=frozen" in refusal.value.hint
    require_separable(ToyModel(), frozen=True)
    require_separable(torch.nn.Linear(2, 2), frozen=False)


def test_frozen_norms_keep_their_statistics_and_learn_their_weights(tmp_path: Path) -> None:
    torch.set_default_dtype(torch.float32)
    task = toy_fit(QUICK.evolve(batch_norm="frozen", chunk=2))
    norm = task.model.image["backbone"][1]
    before = {name: value.clone() for name, value in norm.state_dict().items()}
    fit(task, tmp_path / "state", lambda *_: None, lambda _: None)
    after = norm.state_dict()
    assert torch.equal(after["running_mean"], before["running_mean"])
    assert not torch.equal(after["weight"], before["weight"])


@pytest.mark.parametrize(
    ("rows", "chunk", "processes"), [(7, 3, 1), (7, 3, 2), (5, None, 3), (8, 1, 3)]
)
def test_shares_cover_a_batch_once_in_pieces_no_larger_than_asked(
    rows: int, chunk: int | None, processes: int
) -> None:
    found = shares(np.arange(rows) + 10, chunk, processes)
    assert len(found) == processes
    assert np.concatenate([share.rows for share in found]).tolist() == list(range(10, 10 + rows))
    assert [n for share in found for n, _, _ in share.pieces] == list(
        range(sum(len(share.pieces) for share in found))
    )
    for share in found:
        sizes = [stop - start for _, start, stop in share.pieces]
        assert sum(sizes) == len(share.rows) and min(sizes) > 0
        assert chunk is None or max(sizes) <= chunk


def test_a_batch_has_the_same_pieces_in_any_number_of_processes() -> None:
    def pieces(processes: int) -> list[list[int]]:
        return [
            share.rows[start:stop].tolist()
            for share in shares(np.arange(23), 4, processes)
            for _, start, stop in share.pieces
        ]

    assert pieces(1) == pieces(2) == pieces(5)
    with pytest.raises(UsageError, match="batch of 2 cannot be shared by 3"):
        shares(np.arange(2), None, 3)


def recomputed(model: AlignmentModel) -> AlignmentModel:
    model.image.backbone.set_grad_checkpointing(True)
    model.text.backbone.gradient_checkpointing_enable({"use_reentrant": False})
    return model


def test_recomputed_activations_change_neither_gradient_nor_statistics(
    model: AlignmentModel,
) -> None:
    """Batch norms by the batch here: a second pass would move their statistics twice."""
    plain, other = model.train(), recomputed(copy.deepcopy(model).train())
    one, two = gradients(plain, None), gradients(other, None)
    assert one.keys() == two.keys()
    for name in one:
        torch.testing.assert_close(two[name], one[name], rtol=1e-9, atol=1e-14)
    for (name, here), there in zip(plain.named_buffers(), other.buffers(), strict=True):
        torch.testing.assert_close(there, here, msg=name)


def test_checkpointing_is_a_field_of_both_encoders(tmp_path: Path) -> None:
    tiny = TinyEncoderSettings(vocabulary=300, layers=1, dim=16, heads=2)
    train_tiny_encoder(["a mass in the breast"], tmp_path, TextSettings(tokens=16, tiny=tiny))
    text = TextEncoderConfig(encoder=str(tmp_path), checkpointing=True)
    made = AlignmentModel(IMAGE.evolve(checkpointing=True, channels_last=False), text, 16)
    assert made.text.backbone.is_gradient_checkpointing
    assert made.image.backbone.grad_checkpointing
    weight = made.image.backbone.conv1[0].weight
    assert weight.is_contiguous() and made.image.layout == torch.contiguous_format


def test_half_precision_computes_outputs_near_those_of_single(model: AlignmentModel) -> None:
    torch.set_default_dtype(torch.float32)
    model = model.float().eval()
    single = objective().outputs(model, exams())
    with torch.autocast("cpu", torch.bfloat16):
        half = objective().outputs(model, exams())
    for one, other in zip(single, half, strict=True):
        assert other.dtype == torch.float32
        assert 0 < (one - other).abs().max() < 0.05
