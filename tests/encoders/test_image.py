from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from sequela.encoders.image import ImageEncoder, ImageEncoderConfig, build_backbone
from sequela.errors import UsageError
from sequela.modalities.batch import Batch

CONFIG = ImageEncoderConfig(
    name="resnet10t", options={"channels": [4, 4, 4, 8], "stem_width": 4, "stem_type": ""}
)


def batch(kinds: list[int], mask: list[bool]) -> Batch:
    random = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (1, 1, len(kinds), 32, 32), generator=random, dtype=torch.uint8)
    return Batch(
        day=torch.zeros(1, 1),
        exam_mask=torch.ones(1, 1, dtype=torch.bool),
        views=pixels,
        view_kind=torch.tensor([[kinds]]),
        view_mask=torch.tensor([[mask]]),
    )


@pytest.fixture(scope="module")
def encoder() -> ImageEncoder:
    torch.manual_seed(0)
    return ImageEncoder(CONFIG, 6).eval()


def test_an_exam_is_the_mean_of_the_views_it_has(encoder: ImageEncoder) -> None:
    whole = batch([0, 1, 3], [True, False, True])
    assert whole.views is not None
    vector, present = encoder(whole)
    one, other = encoder.encode(whole.views[0, 0, [0]]), encoder.encode(whole.views[0, 0, [2]])
    left, right = encoder.side.weight
    cc, mlo = encoder.view.weight
    expected = (one[0] + left + cc + other[0] + right + mlo) / 2
    torch.testing.assert_close(vector[0, 0], expected)
    assert present.item()


def test_the_side_and_view_of_an_image_matter(encoder: ImageEncoder) -> None:
    vectors = [encoder(batch([kind], [True]))[0] for kind in range(4)]
    assert len({tuple(vector.flatten().tolist()) for vector in vectors}) == 4


def test_an_exam_without_views_is_told_and_reads_no_pixel(encoder: ImageEncoder) -> None:
    vector, present = encoder(batch([0, 1], [False, False]))
    assert not present.any() and not vector.any()
    nothing = replace(batch([0], [True]), views=None)
    assert not encoder(nothing)[1].any()


def test_any_size_of_image_goes_through(encoder: ImageEncoder) -> None:
    assert encoder.encode(torch.rand(2, 48, 80)).shape == (2, 6)


def test_weights_come_from_a_file(tmp_path: Path) -> None:
    source = build_backbone(CONFIG).to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    save_file(source.state_dict() | {"fc.weight": torch.zeros(2, 8)}, tmp_path / "weights")
    loaded = build_backbone(CONFIG.evolve(weights=tmp_path / "weights"))
    state = loaded.state_dict()
    assert all(torch.equal(state[name], value) for name, value in source.state_dict().items())


def test_weights_that_do_not_fit_are_refused_without_their_path(tmp_path: Path) -> None:
    path = tmp_path / "weights"
    whole = {
        name: value.contiguous() for name, value in build_backbone(CONFIG).state_dict().items()
    }
    save_file(dict(list(whole.items())[2:]), path)
    with pytest.raises(UsageError, match="lacks 2 weights") as refusal:
        build_backbone(CONFIG.evolve(weights=path))
    path.write_bytes(b"no weights")
    with pytest.raises(UsageError, match="cannot be loaded") as broken:
        build_backbone(CONFIG.evolve(weights=path))
    for error in (refusal.value, broken.value):
        assert str(tmp_path) not in f"{error.message} {error.hint} {error.items}"


@pytest.mark.parametrize(
    "config",
    [
        ImageEncoderConfig(name="resnet5000"),
        CONFIG.evolve(options={"flux_capacitor": 1}),
        ImageEncoderConfig(name="resnet10t", pretrained=True),
    ],
    ids=["unknown name", "unknown option", "no network"],
)
def test_an_encoder_that_cannot_be_built_is_a_usage_error(config: ImageEncoderConfig) -> None:
    with pytest.raises(UsageError, match="cannot be built"):
        build_backbone(config)


def test_activation_checkpointing_changes_no_gradient() -> None:
    images = torch.rand(3, 32, 32)
    gradients = []
    for checkpointing in (False, True):
        torch.manual_seed(0)
        model = ImageEncoder(CONFIG.evolve(checkpointing=checkpointing), 6).train()
        model.encode(images).square().sum().backward()
        gradients.append([p.grad for p in model.backbone.parameters()])
    torch.testing.assert_close(gradients[0], gradients[1])
