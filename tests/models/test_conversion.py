from __future__ import annotations

import socket
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from sequela.errors import DataError, UsageError
from sequela.models import conversion
from sequela.models.conversion import convert
from sequela.workers import Done, Failure


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch, each_here: object) -> None:
    """Without a child process, whose socket it would close for good."""
    monkeypatch.setattr(conversion, "each", each_here)
    monkeypatch.setattr(socket.socket, "connect", socket.socket.connect)


class Evil:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (self.mark,)  # type: ignore[return-value]


def test_the_tensors_of_a_state_dict_are_kept(tmp_path: Path) -> None:
    tied = torch.arange(6.0).reshape(2, 3)
    state = {"model": {"a.weight": tied, "b": {"weight": tied, "bias": torch.ones(2)}}, "epoch": 3}
    torch.save(state, tmp_path / "model.pt")
    assert convert(tmp_path / "model.pt", tmp_path / "new.safetensors") == 3
    read = load_file(tmp_path / "new.safetensors")
    assert sorted(read) == ["a.weight", "b.bias", "b.weight"]
    assert torch.equal(read["a.weight"], tied)


def test_what_would_run_code_is_refused_and_not_run(tmp_path: Path) -> None:
    torch.save({"a": torch.ones(1), "b": Evil(tmp_path / "ran")}, tmp_path / "model.pt")
    with pytest.raises(DataError, match="loading it would run its code"):
        convert(tmp_path / "model.pt", tmp_path / "new.safetensors")
    assert not (tmp_path / "ran").exists()
    assert not (tmp_path / "new.safetensors").exists()


@pytest.mark.parametrize("content", [b"", b"CANARY-4711" * 50, b"PK\x03\x04" + b"\0" * 99])
def test_what_is_no_checkpoint_is_told(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "model.pt").write_bytes(content)
    with pytest.raises(DataError) as caught:
        convert(tmp_path / "model.pt", tmp_path / "new.safetensors")
    assert "CANARY" not in str(caught.value)


def test_it_is_read_in_a_child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def dying(function: object, tasks: object, **limits: object) -> list[Done[object]]:
        assert function is conversion.converted
        assert limits["workers"] == 1
        return [Done(0, Failure("stopped the process that was reading it"), 0.0)]

    monkeypatch.setattr(conversion, "each", dying)
    (tmp_path / "model.pt").write_bytes(b"x")
    with pytest.raises(DataError, match="stopped the process"):
        convert(tmp_path / "model.pt", tmp_path / "new.safetensors")


def test_nothing_is_written_over(tmp_path: Path) -> None:
    torch.save({"a": torch.ones(1)}, tmp_path / "model.pt")
    (tmp_path / "old.safetensors").write_text("old")
    for name in ("old.safetensors", "new.bin"):
        with pytest.raises(UsageError):
            convert(tmp_path / "model.pt", tmp_path / name)
