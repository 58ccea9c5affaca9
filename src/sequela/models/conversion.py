"""Weights from a foreign pickle → safetensors: the one module that opens a pickle.

`torch.load(weights_only=True)` builds tensors and plain containers and refuses all else; it runs
in a child process whose Python may not connect: a second fence, no sandbox.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors.torch import save

from sequela.errors import DataError, UsageError
from sequela.storage import atomic
from sequela.workers import Failure, Limits, each

_LIMITS = Limits(memory=64 << 30, seconds=600.0)
_WRAPPERS = ("state_dict", "model_state_dict", "model", "teacher", "student", "net")
_MOST_NESTED = 8


def convert(source: Path, out: Path) -> int:
    """Write the tensors of a checkpoint as safetensors; nothing else of it is kept.

    Args:
        source: What `torch.save` wrote: a state dict, or a dictionary that holds one.
        out: The new file.

    Returns:
        How many tensors there are.

    Raises:
        UsageError: If the file is absent, or `out` is there already or no .safetensors.
        DataError: If it is no such checkpoint, or holds more than tensors and plain values.
    """
    if not source.is_file():
        raise UsageError(f"there is no file {source.name}", hint="give the checkpoint's file")
    if out.suffix != ".safetensors" or out.exists():
        raise UsageError(
            f"{out.name} is there already, or does not end in .safetensors",
            hint="give a new name, as weights.safetensors",
        )
    done = next(iter(each(converted, [(source, out)], workers=1, limits=_LIMITS)))
    if isinstance(done.value, Failure):
        raise DataError(
            f"{source.name} {done.value.reason}",
            hint="ask whoever made it for safetensors, or for its state dict alone",
        )
    return done.value


def converted(source: Path, out: Path) -> int:
    """The same, in this process, whose Python may make no connection any more."""
    socket.socket.connect = _refused  # type: ignore[method-assign]
    try:
        content = torch.load(source, map_location="cpu", weights_only=True, mmap=False)
    except UnpicklingError:
        raise DataError("holds more than tensors: loading it would run its code") from None
    except (RuntimeError, EOFError, ValueError, KeyError, AttributeError, OSError) as error:
        raise DataError(f"is no checkpoint that torch reads ({type(error).__name__})") from None
    tensors = dict(_tensors(_unwrapped(content)))
    if not tensors:
        raise DataError("holds no tensors by name")
    # A copy each: safetensors refuses tensors that share memory.
    copies = {name: tensor.detach().clone().contiguous() for name, tensor in tensors.items()}
    with atomic(out) as temporary:
        temporary.write_bytes(save(copies))
    return len(copies)


def _refused(*_: object) -> None:
    raise PermissionError


def _unwrapped(content: Any) -> Any:
    for name in _WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(name), Mapping):
            return content[name]
    return content


def _tensors(content: Any, prefix: str = "", depth: int = 0) -> Iterator[tuple[str, torch.Tensor]]:
    if isinstance(content, torch.Tensor):
        yield prefix.removesuffix("."), content
    elif isinstance(content, Mapping) and depth < _MOST_NESTED:
        for name, value in content.items():
            yield from _tensors(value, f"{prefix}{name}.", depth + 1)
