"""Work on untrusted files in child processes, where the worst of them costs itself alone."""

from __future__ import annotations

import contextlib
import os
import resource
import socket
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from types import TracebackType
from typing import Any, Generic, TypeVar

from sequela.errors import DiskFullError, SequelaError, StorageError

Result = TypeVar("Result")

_LIBRARIES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS")


@contextlib.contextmanager
def children_of(threads: int) -> Iterator[None]:
    """New processes have numerical libraries of so many threads, until the block ends.

    A library asks once, when it is loaded, so this cannot be said to a process from within.
    """
    before = {name: os.environ.get(name) for name in _LIBRARIES}
    os.environ.update(dict.fromkeys(_LIBRARIES, str(threads)))
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


@dataclass(frozen=True)
class Limits:
    """What one file may cost before it is given up.

    Attributes:
        memory: Bytes of address space a worker may hold, its interpreter included.
        seconds: Wall-clock time for one file.
    """

    memory: int = 4 << 30
    seconds: float = 60.0


@dataclass(frozen=True)
class Failure:
    """Why there is no result, as one sentence without names, values or absolute paths.

    Attributes:
        reason: The sentence.
        lasting: False where another try, with more memory or time, may end otherwise.
    """

    reason: str
    lasting: bool = True


@dataclass(frozen=True)
class Done(Generic[Result]):
    """What became of a task.

    Attributes:
        index: Its place among the tasks.
        value: What the function returned, or why it did not.
        seconds: How long the function worked; the limit or less where it was stopped.
    """

    index: int
    value: Result | Failure
    seconds: float


def available_cores() -> int:
    """The cores this process may use, which a container or scheduler may have cut."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def each(
    function: Callable[..., Result],
    tasks: Sequence[tuple[object, ...]],
    *,
    workers: int,
    limits: Limits | None = None,
) -> Iterator[Done[Result]]:
    """Call `function` on every task in fresh child processes; results come as they end.

    The children are new interpreters with one thread each, without standard streams. A task
    that raises, hangs, grows or kills its child ends as a `Failure` and touches no other.

    Args:
        function: A function of an importable module.
        tasks: The arguments of each call, picklable.
        workers: How many children work at once.
        limits: What one task may cost.

    Raises:
        StorageError: If the disk refuses what a child writes.
        DiskFullError: If it is full.
    """
    limits = limits or Limits()
    waiting = iter(range(len(tasks)))
    pool = [_Worker(function, limits) for _ in range(max(1, min(workers, len(tasks))))]
    busy: dict[_Worker, int] = {}
    try:
        for worker, index in zip(pool, waiting, strict=False):
            worker.begin(tasks[index])
            busy[worker] = index
        while busy:
            for worker in _ended(list(busy), limits):
                done = Done(busy.pop(worker), *worker.result())
                index = next(waiting, -1)
                if index >= 0:  # before the result is used, or the worker would wait for that
                    worker.begin(tasks[index])
                    busy[worker] = index
                yield done
    finally:
        for worker in pool:
            worker.stop()


def _ended(busy: Sequence[_Worker], limits: Limits) -> list[_Worker]:
    """The workers that have answered, died or overrun, once there is one."""
    while True:
        now = time.monotonic()
        first_deadline = min(worker.began for worker in busy) + limits.seconds
        ready = wait([worker.pipe for worker in busy], timeout=max(0.0, first_deadline - now))
        now = time.monotonic()
        ended = [
            worker
            for worker in busy
            if worker.pipe in ready or now - worker.began >= limits.seconds
        ]
        if ended:
            return ended


@dataclass(frozen=True)
class _Dying:
    """The last words of a child that met an exception nobody foresaw."""

    reason: str


@dataclass(frozen=True)
class _Refused:
    """The disk refused what a child was to write: no fault of the file, and the end of the work."""

    error: SequelaError


class _Worker:
    """A child process, replaced by a new one when it dies or is killed."""

    def __init__(self, function: Callable[..., Any], limits: Limits) -> None:
        self._function, self._limits = function, limits
        self.began = 0.0
        self._start()

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and code
                [
                    *(sys.executable, "-c", "from sequela.workers import serve; serve()"),
                    *(str(theirs.fileno()), str(self._limits.memory)),
                ],
                pass_fds=[theirs.fileno()],
                env={**os.environ, **dict.fromkeys(_LIBRARIES, "1")},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        self.pipe: Connection = Connection(ours.detach())
        self.pipe.send(self._function)

    def begin(self, task: tuple[object, ...]) -> None:
        """Hand over a task; if the child has died, its `result` will say so."""
        self.began = time.monotonic()
        with contextlib.suppress(BrokenPipeError):
            self.pipe.send(task)

    def result(self) -> tuple[Any, float]:
        """The answer and its time; of a worker that gave none, the reason, and it is replaced."""
        waited = time.monotonic() - self.began
        if not self.pipe.poll():
            reason = f"took longer than {self._limits.seconds:g} s"
            return self._replaced(Failure(reason, lasting=False)), waited
        try:
            answer, seconds = self.pipe.recv()
        except (EOFError, ConnectionResetError):
            reason = "stopped the process that was reading it"
            return self._replaced(Failure(reason, lasting=False)), waited
        if isinstance(answer, _Refused):
            raise answer.error
        if isinstance(answer, _Dying):
            return self._replaced(Failure(answer.reason)), waited
        return answer, seconds

    def _replaced(self, failure: Failure) -> Failure:
        self.stop()
        self._start()
        return failure

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()
        self.pipe.close()


def serve() -> None:
    """Answer tasks until the other side closes the pipe; the body of a child process."""
    handle, memory = int(sys.argv[1]), int(sys.argv[2])
    pipe = Connection(handle)
    _confine(memory)
    sys.excepthook = _tell(pipe)
    try:
        function = pipe.recv()
        while True:
            task = pipe.recv()
            began = time.perf_counter()
            answer = _answer(function, task, memory)
            pipe.send((answer, time.perf_counter() - began))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return


def _confine(memory: int) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    if sys.platform == "linux":
        wanted = memory if hard == resource.RLIM_INFINITY else min(memory, hard)
        resource.setrlimit(resource.RLIMIT_AS, (wanted, hard))
    warnings.simplefilter("ignore")


def _answer(function: Callable[..., Any], task: tuple[object, ...], memory: int) -> object:
    try:
        return function(*task)
    except (StorageError, DiskFullError) as error:
        return _Refused(error)
    except SequelaError as error:
        return Failure(error.message)
    except MemoryError:
        return Failure(f"needs more than {memory / 2**30:.3g} GiB of memory", lasting=False)


def _tell(
    pipe: Connection,
) -> Callable[[type[BaseException], BaseException, TracebackType | None], None]:
    """An exception that nobody foresaw: its kind is told, its text (it may hold values) is not."""

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        pipe.send((_Dying(f"cannot be read ({kind.__name__})"), 0.0))

    return hook
