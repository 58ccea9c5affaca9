"""Checkpoints are whole or absent, and say so when they are neither."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from toys import QUICK, ToyModel

from sequela.errors import DataError, ResourceLimitError
from sequela.training import checkpoint
from sequela.training.checkpoint import (
    Epoch,
    Position,
    read_metadata,
    read_state,
    read_tensors,
    write_state,
    write_tensors,
)
from sequela.training.fitting import build_optimizer


def test_a_state_is_read_as_it_was_written(tmp_path: Path) -> None:
    model = ToyModel()
    optimizer = build_optimizer(model, QUICK)
    for parameter in model.parameters():
        parameter.grad = torch.randn_like(parameter)
    optimizer.step()
    history = (Epoch(1, 0.1, {"loss": 1 / 3}, {"new": 1e-4}, 0.1, 0.2, 0.3),)
    position = Position(1, 2, 1 / 7, 3, 0.5, 0.25, history)
    write_state(tmp_path / "state", model, optimizer, position)
    other = ToyModel()
    second = build_optimizer(other, QUICK)
    assert read_state(tmp_path / "state", other, second) == position
    weights = other.state_dict()
    assert all(torch.equal(weights[name], value) for name, value in model.state_dict().items())
    states = optimizer.state_dict()["state"], second.state_dict()["state"]
    assert states[0].keys() == states[1].keys()
    for index, values in states[0].items():
        assert all(torch.equal(states[1][index][name], value) for name, value in values.items())


def test_a_state_goes_on_as_if_unbroken_whatever_the_layout_of_the_weights(tmp_path: Path) -> None:
    """A fused step reads memory in its order and does not notice that moments have another."""

    def stepped(broken: bool) -> torch.Tensor:
        model = ToyModel()
        model.conv = torch.nn.Conv2d(3, 5, 3).to(memory_format=torch.channels_last)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.fill_(0.5)
        optimizer = build_optimizer(model, QUICK)
        random = torch.Generator().manual_seed(0)
        for step in range(4):
            if broken and step == 2:
                write_state(tmp_path / "state", model, optimizer, Position())
                optimizer = build_optimizer(model, QUICK)
                read_state(tmp_path / "state", model, optimizer)
            for parameter in model.parameters():
                grad = torch.randn(parameter.shape, generator=random)
                parameter.grad = torch.empty_like(parameter).copy_(grad)
            for group in optimizer.param_groups:
                group["lr"] = 0.01
            optimizer.step()
        return model.conv.weight.detach()

    assert torch.equal(stepped(broken=True), stepped(broken=False))


def test_tied_weights_are_kept(tmp_path: Path) -> None:
    weight = torch.randn(3, 3)
    write_tensors(tmp_path / "w", {"one": weight, "other": weight}, {})
    assert torch.equal(read_tensors(tmp_path / "w")[0]["other"], weight)


def test_a_full_disk_is_told_and_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "w"
    write_tensors(path, {"one": torch.zeros(1)}, {"epoch": 1})

    def full(*_: object, **__: object) -> None:
        raise SafetensorError("I/O error: No space left on device (os error 28)")

    monkeypatch.setattr(checkpoint, "save_file", full)
    with pytest.raises(ResourceLimitError, match="no space left"):
        write_tensors(path, {"one": torch.ones(1)}, {"epoch": 2})
    assert read_metadata(path) == {"epoch": 1}
    assert [file.name for file in tmp_path.iterdir()] == ["w"]


def test_what_is_no_checkpoint_of_ours_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nothing has been trained"):
        read_metadata(tmp_path / "absent")
    (tmp_path / "torn").write_bytes(b"torn")
    with pytest.raises(DataError, match="damaged"):
        read_tensors(tmp_path / "torn")
    save_file({"one": torch.zeros(1)}, tmp_path / "foreign")
    with pytest.raises(DataError, match="not what they are for"):
        read_metadata(tmp_path / "foreign")
