from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file

from sequela.encoders.image import ImageEncoderConfig, build_backbone
from sequela.encoders.patch import PatchEncoderConfig, build_patch_encoder
from sequela.errors import UsageError

NAME, SMALL = "resnet10t", {"channels": [4, 4, 8, 8], "stem_width": 4}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A network as a hub has it, with its weights as a pickle and as safetensors."""
    network = timm.create_model(NAME, pretrained=False, num_classes=0, in_chans=3, **SMALL)
    first = {"num_classes": 0, "first_conv": "conv1.0"}
    told = {"architecture": NAME, "num_features": 8, "pretrained_cfg": first}
    (tmp_path / "config.json").write_text(json.dumps(told))
    torch.save(network.state_dict(), tmp_path / "pytorch_model.bin")
    save_file(network.state_dict(), tmp_path / "model.safetensors")
    return tmp_path


def image(folder: Path) -> object:
    config = ImageEncoderConfig(name=f"local-dir:{folder}", pretrained=True, options=SMALL)
    return build_backbone(config)


def patch(folder: Path) -> object:
    return build_patch_encoder(PatchEncoderConfig(name=f"local-dir:{folder}", options=SMALL))


@pytest.mark.parametrize("build", [image, patch])
def test_weights_that_come_as_a_pickle_alone_are_refused(
    build: Callable[[Path], object], folder: Path
) -> None:
    opens = torch.load
    assert build(folder)
    (folder / "model.safetensors").unlink()
    with pytest.raises(UsageError, match="published as a pickle"):
        build(folder)
    (folder / "pytorch_model.bin").unlink()
    with pytest.raises(UsageError) as caught:
        build(folder)
    assert str(folder.parent) not in caught.value.message
    assert torch.load is opens
