"""Several processes that fit one model: what each holds, and what they tell each other.

`torchrun` starts them, on one machine or several that share their files; without it there is one,
and everything here leaves what it is given as it is.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from jaxtyping import Shaped
from torch import Tensor, nn

from sequela.errors import SequelaError

Value = TypeVar("Value")


def count() -> int:
    """How many processes fit together."""
    return dist.get_world_size() if _joined() else 1


def number() -> int:
    """Which of them this is, from 0; number 0 alone writes."""
    return dist.get_rank() if _joined() else 0


def _joined() -> bool:
    return dist.is_available() and dist.is_initialized()


@contextmanager
def joined(environment: Mapping[str, str], device: str) -> Iterator[None]:
    """Within, this process is one of those that `torchrun` started, if it did.

    Args:
        environment: Where `torchrun` says who is who.
        device: `cpu`, `cuda`, or `auto` for a GPU where there is one.
    """
    if "TORCHELASTIC_RUN_ID" not in environment or _joined():
        yield
        return
    # Imported later, its defaults would hold the group to the interpreter's end, where a thread of
    # the group that still has a tensor aborts the process.
    import torch.distributed.nn

    gpu = device != "cpu" and torch.cuda.is_available()
    if gpu:
        torch.cuda.set_device(int(environment["LOCAL_RANK"]))
    dist.init_process_group("nccl" if gpu else "gloo")
    try:
        yield
    finally:
        dist.destroy_process_group()


def agreed(value: Value) -> Value:
    """What process 0 gives, in all of them."""
    if count() == 1:
        return value
    box = [value]
    dist.broadcast_object_list(box, src=0)
    return box[0]


def by_first(work: Callable[[], object]) -> None:
    """Have process 0 alone do it while the others wait; if it cannot, all of them end."""
    failure = None
    if number() == 0:
        try:
            work()
        except SequelaError as error:
            failure = error
    failure = agreed(failure)
    if failure is not None:
        raise failure if number() == 0 else SystemExit(failure.exit_code)


def threads(cores: int) -> int:
    """The share of a machine's cores that each of its processes takes."""
    machines = everyones(platform.node())
    return max(1, cores // machines.count(platform.node()))


def everyones(value: Value) -> list[Value]:
    """What each process gives, in the order of their numbers."""
    if count() == 1:
        return [value]
    values: list[Any] = [None] * count()
    dist.all_gather_object(values, value)
    return values


def any_of(flag: bool, device: torch.device) -> bool:
    """Whether it is true in any process."""
    if count() == 1:
        return flag
    found = torch.tensor([flag], dtype=torch.int32, device=device)
    dist.all_reduce(found, dist.ReduceOp.MAX)
    return bool(found.item())


def gathered(
    own: Shaped[Tensor, "own *shape"], sizes: Sequence[int]
) -> Shaped[Tensor, "all *shape"]:
    """The rows of all processes, one process after another.

    Args:
        own: This process's rows.
        sizes: How many rows each process has.
    """
    if count() == 1:
        return own
    padded = own.new_zeros((max(sizes), *own.shape[1:]))
    padded[: len(own)] = own
    found = [torch.empty_like(padded) for _ in sizes]
    dist.all_gather(found, padded)
    return torch.cat([rows[:size] for rows, size in zip(found, sizes, strict=True)])


def same_everywhere(tensors: Iterable[Tensor]) -> None:
    """Fill the tensors of all processes with those of process 0."""
    if count() > 1:
        for tensor in tensors:
            plain = tensor.detach().contiguous()  # gloo knows no other layout
            dist.broadcast(plain, src=0)
            tensor.detach().copy_(plain)


def average_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Give every process the mean of all processes' gradients.

    A parameter without a gradient in one process counts as 0 there; without one in all, it keeps
    none, so that an optimiser leaves it alone as it would in one process.
    """
    if count() == 1:
        return
    learning = [parameter for parameter in parameters if parameter.requires_grad]
    there = torch.tensor([p.grad is not None for p in learning], device=learning[0].device).int()
    dist.all_reduce(there)
    used = [p for p, processes in zip(learning, there.tolist(), strict=True) if processes]
    flat = torch.cat([(torch.zeros_like(p) if p.grad is None else p.grad).flatten() for p in used])
    dist.all_reduce(flat)
    flat /= count()
    parts = torch.split(flat, [p.numel() for p in used])
    for parameter, part in zip(used, parts, strict=True):
        parameter.grad = torch.empty_like(parameter).copy_(part.view_as(parameter))
