"""A process that has loaded everything once, and forks a child for each command it is told.

A new interpreter takes seconds to load torch; a fork of this one begins at once, and is as much a
process of its own: it holds locks, hears signals and can be killed.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any

_HEAVY = ("report.study", "training.stages", "training.study_runs", "training.planning")


class Zygote:
    """The process, from outside."""

    def __enter__(self) -> Zygote:
        self._process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.communicate()

    def begin(self, words: tuple[object, ...], said: Path, folder: Path) -> int:
        """The number of a new process that runs a command; what it says goes to `said`."""
        return self._ask(words=[str(word) for word in words], said=str(said), folder=str(folder))

    def ended(self, child: int) -> int:
        """Wait for a process: its exit code, or minus the signal that ended it."""
        return self._ask(child=child)

    def _ask(self, **question: Any) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


def _run(words: list[str], said: str, folder: str) -> None:
    """Be the command, and end with it."""
    os.setsid()
    handle = os.open(said, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    os.chdir(folder)
    code = 70
    try:
        main(words)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _answer(question: dict[str, Any]) -> int:
    if "child" in question:
        return os.waitstatus_to_exitcode(os.waitpid(question["child"], 0)[1])
    child = os.fork()
    if child == 0:
        _run(**question)
    return child


if __name__ == "__main__":
    from importlib import import_module

    from sequela.cli.main import main

    # A shell's background job ignores Ctrl-C, and so would all that it starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for name in _HEAVY:
        import_module(f"sequela.{name}")
    for line in sys.stdin:
        sys.stdout.write(f"{_answer(json.loads(line))}\n")
        sys.stdout.flush()
