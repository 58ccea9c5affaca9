from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from sequela.encoders.text import TextEncoder, TextEncoderConfig, build_backbone, resolved
from sequela.errors import UsageError
from sequela.modalities.batch import Batch
from sequela.modalities.text import TextSettings, TinyEncoderSettings, train_tiny_encoder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("encoder")
    tiny = TinyEncoderSettings(vocabulary=300, layers=1, dim=16, heads=2)
    train_tiny_encoder(["a mass"], folder, TextSettings(tokens=16, tiny=tiny))
    return folder


def test_a_text_is_the_first_token_of_the_last_layer(folder: Path) -> None:
    encoder = TextEncoder(TextEncoderConfig(encoder=str(folder)), 6).eval()
    tokens = torch.tensor([[0, 7, 8, 2]])
    hidden = encoder.backbone(input_ids=tokens).last_hidden_state[:, 0]
    padded = torch.tensor([[0, 7, 8, 2, 99, 99], [0, 9, 9, 9, 9, 2]])
    mask = torch.tensor([[True] * 4 + [False] * 2, [True] * 6])
    torch.testing.assert_close(encoder.encode(padded, mask)[:1], encoder.projection(hidden))


def test_an_exam_without_text_is_told_and_reads_no_token(folder: Path) -> None:
    encoder = TextEncoder(TextEncoderConfig(encoder=str(folder)), 6)
    batch = Batch(
        day=torch.zeros(1, 2),
        exam_mask=torch.ones(1, 2, dtype=torch.bool),
        tokens=torch.tensor([[[0, 7, 2], [-5, -5, -5]]]),
        token_mask=torch.ones(1, 2, 3, dtype=torch.bool),
        text_mask=torch.tensor([[True, False]]),
    )
    vectors, present = encoder(batch)
    assert present.tolist() == [[True, False]]
    assert vectors[0, 0].any() and not vectors[0, 1].any()
    assert not encoder(replace(batch, tokens=None))[1].any()


def test_the_architecture_alone_rebuilds_the_encoder(folder: Path) -> None:
    config = resolved(TextEncoderConfig(encoder=str(folder)))
    assert str(folder) not in str(config.architecture)
    rebuilt = build_backbone(config.evolve(encoder="gone"), initial_weights=False)
    first = build_backbone(config)
    rebuilt.load_state_dict(first.state_dict())
    assert resolved(config) is config


def test_weights_with_a_hole_are_refused(folder: Path, tmp_path: Path) -> None:
    for file in ("config.json", "tokenizer.json"):
        (tmp_path / file).write_bytes((folder / file).read_bytes())
    state = load_file(folder / "model.safetensors")
    del state["encoder.layer.0.output.dense.weight"]
    save_file(state, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UsageError, match="not whole") as refusal:
        build_backbone(TextEncoderConfig(encoder=str(tmp_path)))
    assert refusal.value.items == ("encoder.layer.0.output.dense.weight",)


def test_an_encoder_that_is_not_there_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be loaded") as refusal:
        build_backbone(TextEncoderConfig(encoder=str(tmp_path / "nothing")))
    assert str(tmp_path) not in refusal.value.message


def test_pickled_weights_are_not_read(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes((folder / "config.json").read_bytes())
    torch.save(load_file(folder / "model.safetensors"), tmp_path / "pytorch_model.bin")
    with pytest.raises(UsageError, match="cannot be loaded"):
        build_backbone(TextEncoderConfig(encoder=str(tmp_path)))
