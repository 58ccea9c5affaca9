"""Work in several processes that are joined as `torchrun` joins them, over gloo."""

from __future__ import annotations

import os
import pickle
import signal
import socket
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from sequela.training.processes import joined

Result = TypeVar("Result")


def environments(count: int) -> list[dict[str, str]]:
    """What `torchrun --nproc-per-node COUNT` tells each process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return [
        {
            "TORCHELASTIC_RUN_ID": "test",
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(port),
            "GLOO_SOCKET_IFNAME": "lo",
            "WORLD_SIZE": str(count),
            "RANK": str(rank),
            "LOCAL_RANK": str(rank),
        }
        for rank in range(count)
    ]


def together(
    count: int, folder: Path, work: Callable[[], Result], *, join: bool = True
) -> list[Result]:
    """What `work` gives in each of so many forked processes; an exit is given as its code.

    A fork is quick, but must not use polars or tokenizers, whose threads it lacks.
    """
    folder.mkdir(parents=True, exist_ok=True)
    children = []
    for rank, environment in enumerate(environments(count)):
        if (child := os.fork()) == 0:
            _run(folder / f"{rank}.pickle", environment, work)
        children.append(child)
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    assert codes == [0] * count
    return [pickle.loads((folder / f"{rank}.pickle").read_bytes()) for rank in range(count)]


def _run(file: Path, environment: dict[str, str], work: Callable[[], object]) -> None:
    # So that a fault of ours ends in a failed test, not in one that waits.
    signal.alarm(60)
    os.environ.update(environment)
    try:
        with joined(environment, "cpu"):
            try:
                result = work()
            except SystemExit as end:
                result = end.code
        file.write_bytes(pickle.dumps(result))
        os._exit(0)
    finally:
        traceback.print_exc()
        os._exit(1)
