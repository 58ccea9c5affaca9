"""Frozen encoders of tiles: their own scaling, their licence, and no network unless asked."""

from __future__ import annotations

import json

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file
from transformers import ViTConfig, ViTModel

from sequela.encoders.colours import ColourFeatures
from sequela.encoders.patch import PatchEncoderConfig, build_patch_encoder
from sequela.errors import UsageError

TILES = torch.from_numpy(
    np.random.default_rng(0).integers(0, 256, size=(5, 64, 64, 3)).astype(np.uint8)
)


def test_a_tile_alone_has_the_features_it_has_among_others():
    encoder = build_patch_encoder(PatchEncoderConfig())
    alone = torch.cat([encoder.encode(tile[None]) for tile in TILES])
    torch.testing.assert_close(encoder.encode(TILES), alone)
    assert alone.shape == (5, ColourFeatures.width)


def test_colours_do_not_change_when_a_tile_is_mirrored():
    encoder = build_patch_encoder(PatchEncoderConfig())
    torch.testing.assert_close(encoder.encode(TILES), encoder.encode(TILES.flip(2)))


@pytest.fixture
def weights(tmp_path):
    torch.manual_seed(1)
    network = timm.create_model("resnet10t", num_classes=0)
    file = tmp_path / "w.safetensors"
    save_file({name: one.contiguous() for name, one in network.state_dict().items()}, file)
    return network.eval(), file


def test_a_timm_network_sees_tiles_scaled_as_it_was_trained(weights):
    network, file = weights
    encoder = build_patch_encoder(
        PatchEncoderConfig(name="resnet10t", weights=file, licence="MIT", mean=(0.5, 0.4, 0.3))
    )
    deviation = torch.tensor(network.pretrained_cfg["std"])
    scaled = (TILES / 255 - torch.tensor([0.5, 0.4, 0.3])) / deviation
    with torch.no_grad():
        wanted = network(scaled.permute(0, 3, 1, 2))
    torch.testing.assert_close(encoder.encode(TILES), wanted, rtol=1e-4, atol=1e-5)
    assert (encoder.name, encoder.licence) == ("resnet10t", "MIT")


def test_the_hash_is_of_the_weights_and_the_scaling(weights):
    network, file = weights
    first = PatchEncoderConfig(name="resnet10t", weights=file)
    before = build_patch_encoder(first).hash
    assert build_patch_encoder(first.evolve(licence="MIT")).hash == before
    assert build_patch_encoder(first.evolve(mean=(0, 0, 0))).hash != before
    save_file({name: one + 1 for name, one in network.state_dict().items()}, file)
    assert build_patch_encoder(first).hash != before


@pytest.mark.parametrize("pooling", ["first", "mean"])
def test_a_hugging_face_folder_is_read_with_its_own_scaling(tmp_path, pooling):
    config = ViTConfig(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        image_size=64,
        patch_size=16,
    )
    torch.manual_seed(0)
    ViTModel(config).eval().save_pretrained(tmp_path / "vit")
    scaling = {"image_mean": [0.7, 0.5, 0.6], "image_std": [0.2, 0.2, 0.2]}
    (tmp_path / "vit" / "preprocessor_config.json").write_text(json.dumps(scaling))
    asked = PatchEncoderConfig(
        name=str(tmp_path / "vit"), library="transformers", pooling=pooling, licence="MIT"
    )
    encoder = build_patch_encoder(asked)
    assert encoder.mean == (0.7, 0.5, 0.6)
    assert encoder.name == "vit"
    scaled = (TILES / 255 - torch.tensor(scaling["image_mean"])) / 0.2
    with torch.no_grad():
        network = ViTModel.from_pretrained(tmp_path / "vit").eval()
        hidden = network(scaled.permute(0, 3, 1, 2)).last_hidden_state
    wanted = hidden[:, 0] if pooling == "first" else hidden.mean(1)
    torch.testing.assert_close(encoder.encode(TILES), wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"name": "resnet10t"}, "has no weights"),
        ({"name": "someone/encoder", "library": "transformers"}, "has no weights"),
        ({"name": "hf-hub:someone/encoder", "pretrained": True}, "licence"),
        ({"name": "someone/encoder", "library": "transformers", "pretrained": True}, "licence"),
        ({"name": "no-such-network", "pretrained": True, "licence": "MIT"}, "cannot be built"),
        (
            {"name": "x/y", "library": "transformers", "pretrained": True, "licence": "MIT"},
            "cannot be built",
        ),
    ],
)
def test_nothing_is_made_up_and_nothing_fetched_without_a_licence(asked, sentence):
    with pytest.raises(UsageError, match=sentence):
        build_patch_encoder(PatchEncoderConfig(**asked))


def test_weights_of_another_network_are_refused(weights):
    with pytest.raises(UsageError, match=r"slides\.encoder\.weights"):
        build_patch_encoder(PatchEncoderConfig(name="resnet18", weights=weights[1]))
