"""The Nth fsync or rename of a command fails, for each N; run again, it ends as if unhurt.

Run on a cohort folder after the whole walk:
    python benchmarks/crashes.py COHORT --stage evaluate --most 60
Each N: the work folder is put back, the command is run with the failure (EIO, ENOSPC, or the
process killed), then run again; every file has to equal that of a run without failures.
"""

from __future__ import annotations

import argparse
import errno
import itertools
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from sequela.cli.main import main
from sequela.storage import fingerprint

FAILURES = ("EIO", "ENOSPC", "kill")
CALLS = {"fsync": (os, "fsync"), "rename": (Path, "replace")}
AFRESH = {
    "evaluate": ("evaluation.json",),
    "predict": ("predictions.parquet",),
    "report": ("report.html", "tables", "figures", "model-card.md"),
    "explain": ("explanations",),
}
"""What a stage makes, taken away before it."""


def contents(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): fingerprint(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }


def failing(call: str, nth: int, failure: str) -> None:
    owner, name = CALLS[call]
    real, calls = getattr(owner, name), itertools.count(1)

    def fails(*arguments: object) -> object:
        if next(calls) != nth:
            return real(*arguments)
        if failure == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        raise OSError(getattr(errno, failure), os.strerror(getattr(errno, failure)))

    setattr(owner, name, fails)


def run(stage: str, cohort: Path, call: str = "", nth: int = 0, failure: str = "") -> int:
    """The exit code of the command in a new process; minus the signal that ended it."""
    words = [sys.executable, __file__, str(cohort), "--stage", stage]
    words += ["--once", call, str(nth), failure] if call else ["--once", "", "0", ""]
    return subprocess.run(words, capture_output=True).returncode


def once(cohort: Path, stage: str, call: str, nth: int, failure: str) -> None:
    """Run the command in this process, with the failure if there is to be one."""
    if call:
        failing(call, nth, failure)
    main(["--quiet", stage, str(cohort)])


def prepared(source: Path, cohort: Path, stage: str) -> None:
    shutil.rmtree(cohort, ignore_errors=True)
    shutil.copytree(source, cohort)
    for name in AFRESH[stage]:
        path = cohort / "work" / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def tried(source: Path, stage: str, most: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        cohort = Path(folder) / "cohort"
        prepared(source, cohort, stage)
        code = run(stage, cohort)
        if code:
            raise SystemExit(f"{stage} exits {code} without any failure")
        clean = contents(cohort)
        for call, failure in itertools.product(CALLS, FAILURES):
            points = equal = untold = 0
            for nth in range(1, most + 1):
                prepared(source, cohort, stage)
                code = run(stage, cohort, call, nth, failure)
                if code == 0:
                    break
                points += 1
                untold += code not in ((-signal.SIGKILL,) if failure == "kill" else (4, 7))
                run(stage, cohort)
                equal += contents(cohort) == clean
            told = f"{points} points, {equal} equal, {untold} untold"
            print(f"{stage}, {call} {failure}: {told}", flush=True)


def command() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("cohort", type=Path)
    asked.add_argument("--stage", choices=AFRESH, default="evaluate")
    asked.add_argument("--most", type=int, default=60)
    asked.add_argument("--once", nargs=3, help=argparse.SUPPRESS)
    arguments = asked.parse_args()
    if arguments.once:
        call, nth, failure = arguments.once
        once(arguments.cohort, arguments.stage, call, int(nth), failure)
    tried(arguments.cohort, arguments.stage, arguments.most)


if __name__ == "__main__":
    command()
