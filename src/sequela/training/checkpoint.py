"""Weights and the state of an unfinished fit, as safetensors with JSON beside the tensors."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from sequela.errors import DataError
from sequela.storage import atomic

_METADATA_KEY = "sequela"
_MODEL, _OPTIMIZER = "model.", "optimizer."


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> None:
    """Write tensors, and JSON-able metadata in the same file, whole or not at all.

    Raises:
        OSError: If the disk is full.
    """
    # A copy each: safetensors refuses tensors that share memory, as tied weights do.
    copies = {
        name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in tensors.items()
    }
    text = json.dumps(metadata, sort_keys=True, allow_nan=False)
    with atomic(path) as temporary:
        save_file(copies, temporary, metadata={_METADATA_KEY: text})


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and metadata that `write_tensors` wrote.

    Raises:
        DataError: If the file is absent, damaged or not ours.
    """
    with _opened(path) as file:
        return {name: file.get_tensor(name) for name in file.keys()}, _metadata(path, file)  # noqa: SIM118


def read_metadata(path: Path) -> dict[str, Any]:
    """The metadata alone, without reading the tensors."""
    with _opened(path) as file:
        return _metadata(path, file)


def _opened(path: Path) -> Any:
    try:
        return safe_open(path, framework="pt")
    except FileNotFoundError:
        raise DataError(
            f"{path.parent.name} has no {path.name}: nothing has been trained there yet",
            hint="train it first, with the same configuration",
        ) from None
    except SafetensorError as error:
        raise DataError(
            f"{path.parent.name}/{path.name} is damaged or not a safetensors file",
            hint="delete the run's folder and train again",
        ) from error


def _metadata(path: Path, file: Any) -> dict[str, Any]:
    metadata = _parsed((file.metadata() or {}).get(_METADATA_KEY))
    if metadata is None:
        raise DataError(
            f"{path.parent.name}/{path.name} holds weights, but not what they are for",
            hint="use a checkpoint that `sequela pretrain` or `sequela train` wrote",
        )
    return metadata


def _parsed(text: str | None) -> dict[str, Any] | None:
    try:
        content = json.loads(text or "")
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


@dataclass(frozen=True)
class Epoch:
    """One finished epoch, a line of `log.jsonl`.

    Attributes:
        epoch: From 1.
        train_loss: Mean over the examples, as they were met.
        validation: `loss` and whatever else was computed on validation patients.
        rates: Learning rates at its last step.
        data_seconds: Time spent waiting for batches.
        compute_seconds: Time spent on steps and validation.
        seconds: All of it, saving included.
    """

    epoch: int
    train_loss: float
    validation: Mapping[str, float]
    rates: Mapping[str, float]
    data_seconds: float
    compute_seconds: float
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """The line as `log.jsonl` holds it."""
        return asdict(self)


@dataclass(frozen=True)
class Position:
    """How far a fit has come: what a killed process needs beside its tensors.

    Attributes:
        epoch: The epoch under way, from 0.
        step: Steps done in it.
        loss_total: Sum of its examples' losses.
        examples: How many examples those were.
        data_seconds: Waited in it so far.
        compute_seconds: Computed in it so far.
        history: The finished epochs.
        processes: How many were fitting when it was saved.
    """

    epoch: int = 0
    step: int = 0
    loss_total: float = 0.0
    examples: int = 0
    data_seconds: float = 0.0
    compute_seconds: float = 0.0
    history: tuple[Epoch, ...] = ()
    processes: int = 1


def write_state(
    path: Path, model: nn.Module, optimizer: torch.optim.Optimizer, position: Position
) -> None:
    """Write all that going on needs; randomness is keyed by position and needs no state."""
    tensors = {_MODEL + name: tensor for name, tensor in model.state_dict().items()}
    tensors |= dict(_optimizer_tensors(optimizer))
    write_tensors(path, tensors, asdict(position))


def _optimizer_tensors(optimizer: torch.optim.Optimizer) -> Iterable[tuple[str, Tensor]]:
    for index, values in optimizer.state_dict()["state"].items():
        for name, tensor in values.items():
            yield f"{_OPTIMIZER}{index}.{name}", tensor


def _lay_out(optimizer: torch.optim.Optimizer) -> None:
    """Lay moments out in memory as their weights are: a fused step goes by places, not by axes."""
    for parameter, moments in optimizer.state.items():
        for name, tensor in moments.items():
            if tensor.shape == parameter.shape and tensor.stride() != parameter.stride():
                moments[name] = torch.empty_like(parameter, dtype=tensor.dtype).copy_(tensor)


def read_state(path: Path, model: nn.Module, optimizer: torch.optim.Optimizer) -> Position:
    """Put model and optimizer back where `write_state` left them."""
    tensors, metadata = read_tensors(path)
    model.load_state_dict(
        {name.removeprefix(_MODEL): t for name, t in tensors.items() if name.startswith(_MODEL)}
    )
    values: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith(_OPTIMIZER):
            index, key = name.removeprefix(_OPTIMIZER).split(".")
            values.setdefault(int(index), {})[key] = tensor
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": values, "param_groups": groups})
    _lay_out(optimizer)
    history = tuple(Epoch(**line) for line in metadata.pop("history"))
    return Position(**metadata, history=history)
