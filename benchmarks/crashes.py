"""The Nth write, fsync or rename of a command fails, for each N; run again, it ends as if unhurt.

    python benchmarks/crashes.py --most 60
    python benchmarks/crashes.py --stage study --kills 30 --seed 7

Each N: the folders are put back, the command is run with the failure (EIO, ENOSPC, or the process
killed), then run again; every file has to equal that of a run without failures, seconds in logs
aside. With --kills, it is killed at random moments instead. The calls are caught in C, whoever
makes them (needs Linux and a C compiler); commands are forks of this process, for loading torch
takes longer than most of them.
"""

from __future__ import annotations

import argparse
import ctypes
import errno
import hashlib
import itertools
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from crash_world import (
    SIMULATION,
    STAGES,
    Stage,
    in_this_process,
    told_of_time,
    words_of,
    write_checkpoint,
    write_sources,
)

KINDS = {"write": 1, "fsync": 2, "rename": 3}
FAILURES = {"EIO": errno.EIO, "ENOSPC": errno.ENOSPC, "kill": 0}
TOLD = {"EIO": (4, 7), "ENOSPC": (4, 7), "kill": (-signal.SIGKILL,)}
UNLOADED = ("sequela.simulation.specimens",)  # builds tables; threads of polars outlive no fork
HANGS_AFTER = 300


def with_caught_calls() -> ctypes.CDLL:
    """The library that makes calls fail; this program is begun anew to load it first."""
    library = os.environ.get("LD_PRELOAD", "")
    if not library.endswith("failing_calls.so"):
        library = str(Path(tempfile.mkdtemp()) / "failing_calls.so")
        source = Path(__file__).with_name("failing_calls.c")
        subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-o", library, source], check=True)
        os.environ |= {"LD_PRELOAD": library, "OMP_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1"}
        os.execv(sys.executable, [sys.executable, *sys.argv])
    return ctypes.CDLL(library)


@dataclass(frozen=True)
class Failing:
    """Which call fails, and how."""

    kind: str
    nth: int
    failure: str


@dataclass(frozen=True)
class Bench:
    """Where commands are tried.

    Attributes:
        walk: The world, every stage's work as the stages before it left it.
        place: Where a stage's folders are put, again and again.
        calls: The library that makes calls fail.
        within: Whether what child processes do is done in the command's own.
    """

    walk: Path
    place: Path
    calls: ctypes.CDLL
    within: bool

    def put_back(self, stage: Stage) -> None:
        shutil.rmtree(self.place, ignore_errors=True)
        self.place.mkdir()
        for name in stage.needs:
            copy = shutil.copytree if (self.walk / name).is_dir() else shutil.copy2
            copy(self.walk / name, self.place / name)

    def begin(self, job: Callable[[], object], folder: Path, failing: Failing | None = None) -> int:
        """The number of a new process that does a job in a folder."""
        child = os.fork()
        if child:
            return child
        os.setsid()
        signal.alarm(HANGS_AFTER)
        handle = os.open(self.walk.parent / "said", os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
        os.dup2(handle, 1)
        os.dup2(handle, 2)
        os.chdir(folder)
        kind, nth, how = 0, 0, 0
        if failing:
            kind, nth, how = KINDS[failing.kind], failing.nth, FAILURES[failing.failure]
        self.calls.arm(kind, nth, how, os.fsencode(folder))
        code = 70
        try:
            job()
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0
        finally:
            sys.stderr.flush()
            if failing is None:
                counts = [str(self.calls.counted(kind)) for kind in KINDS.values()]
                (self.walk.parent / "counts").write_text(" ".join(counts))
                (self.walk.parent / "modules").write_text("\n".join(sys.modules))
            os._exit(code)

    def load_the_same(self) -> None:
        """Load what the last command loaded, so that later ones need not."""
        for name in (self.walk.parent / "modules").read_text().splitlines():
            if name not in sys.modules and name not in UNLOADED:
                with suppress(ImportError):
                    import_module(name)
        if self.within:
            in_this_process()

    def run(self, words: Sequence[str], folder: Path, failing: Failing | None = None) -> int:
        """The exit code of a command, or minus the signal that ended it."""
        from sequela.cli.main import main

        return ended(self.begin(lambda: main(words), folder, failing))

    def said(self) -> str:
        return (self.walk.parent / "said").read_text(errors="replace")


def ended(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def contents(folder: Path) -> dict[str, str]:
    """The hash of every file, locks aside, without what tells how long something took."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.name.endswith(".lock"):
            content = told_of_time(path.name, path.read_bytes())
            found[path.relative_to(folder).as_posix()] = hashlib.sha256(content).hexdigest()
    return found


def differing(one: dict[str, str], other: dict[str, str]) -> str:
    names = sorted(name for name in {*one, *other} if one.get(name) != other.get(name))
    more = f" and {len(names) - 4} more" if len(names) > 4 else ""
    return ", ".join(names[:4]) + more


@dataclass
class Count:
    """What became of the points of one kind."""

    points: int = 0
    equal: int = 0
    told: int = 0
    killed: int = 0


def try_failures(bench: Bench, name: str, most: int, turn: int | None) -> list[Count]:
    """Every point of a stage, and a line for each kind and failure.

    Args:
        bench: Where.
        name: Of the stage.
        most: The last point of each kind.
        turn: Where given, every point has one failure, by turns, and this one begins.
    """
    stage = STAGES[name]
    words = words_of(stage, bench.walk)
    took, clean = unhurt(bench, name, words)
    numbers = map(int, (bench.walk.parent / "counts").read_text().split())
    there = dict(zip(KINDS, numbers, strict=True))
    print(f"{name}: a run takes {took:.2f} s and makes {there}", flush=True)
    counts = []
    for kind, failure in itertools.product(KINDS, FAILURES):
        number, count = there[kind], Count()
        if not most:
            continue
        own = list(FAILURES).index(failure)
        for nth in range(1, min(number, most) + 1):
            if turn is not None and (nth + turn) % len(FAILURES) != own:
                continue
            count.points += 1
            bench.put_back(stage)
            code = bench.run(words, bench.place, Failing(kind, nth, failure))
            if code in TOLD[failure] or (code == 0 and contents(bench.place) == clean):
                count.told += 1  # or overcome, by another way to write
            else:
                said = bench.said()[-300:]
                print(f"  {name} {kind} {nth} {failure}: exit code {code}: {said}", flush=True)
            count.equal += repaired(bench, words, clean, f"{name} {kind} {nth} {failure}")
        print(
            f"{name}, {kind} {failure}: {count.points} points of {number}, {count.equal} equal, "
            f"{count.told} told",
            flush=True,
        )
        counts.append(count)
    return counts


def unhurt(bench: Bench, name: str, words: Sequence[str]) -> tuple[float, dict[str, str]]:
    """How long the command takes once all is loaded, and what it leaves."""
    for _ in range(2):
        bench.put_back(STAGES[name])
        began = time.monotonic()
        if bench.run(words, bench.place):
            raise SystemExit(f"{name} fails without any failure:\n{bench.said()}")
        took = time.monotonic() - began
        bench.load_the_same()
    return took, contents(bench.place)


def repaired(bench: Bench, words: Sequence[str], clean: dict[str, str], told: str) -> bool:
    """Whether the command, run again, ends as if it had never failed."""
    code = bench.run(words, bench.place)
    found = contents(bench.place)
    if found != clean:
        names = differing(found, clean)
        print(f"  {told}: then {code}, {names}: {bench.said()[-400:]}", flush=True)
    return found == clean


def try_kills(bench: Bench, name: str, kills: int, seed: int, orphans: bool) -> Count:
    """Kill a stage at random moments of its duration, each time from the start."""
    stage, generator = STAGES[name], random.Random(f"{seed} {name}")
    words = words_of(stage, bench.walk)
    lasts, clean = unhurt(bench, name, words)
    count = Count()
    from sequela.cli.main import main

    while count.killed < kills:
        bench.put_back(stage)
        child = bench.begin(lambda: main(words), bench.place)
        time.sleep(generator.uniform(0, lasts))
        (os.kill if orphans else os.killpg)(child, signal.SIGKILL)
        count.killed += ended(child) == -signal.SIGKILL
        while orphans and bench.run(words, bench.place) == 4:
            time.sleep(0.2)
        count.points += 1
        count.equal += repaired(bench, words, clean, f"{name} killed")
    print(
        f"{name}: {count.points} runs of {lasts:.1f} s, {count.killed} of them killed on the way, "
        f"{count.equal} equal after a second run",
        flush=True,
    )
    return count


def command() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--stage", action="append", choices=STAGES, default=[])
    asked.add_argument("--most", type=int, default=60, help="points of each kind")
    asked.add_argument("--turn", type=int, help="one failure a point, by turns, from this one")
    asked.add_argument("--kills", type=int, default=0, help="at random moments, instead")
    asked.add_argument("--seed", type=int, default=0, help="of the moments")
    asked.add_argument("--spawned", action="store_true", help="leave child processes as they are")
    asked.add_argument("--orphans", action="store_true", help="kill the command, not its children")
    asked.add_argument("--folder", type=Path, help="where to work; /dev/shm is quick")
    arguments = asked.parse_args()
    calls = with_caught_calls()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        within = not (arguments.spawned or arguments.orphans)
        bench = Bench(Path(folder) / "walk", Path(folder) / "place", calls, within)
        bench.walk.mkdir()
        walk(bench, arguments)


def is_needed(name: str, wanted: Sequence[str]) -> bool:
    """Whether a stage is asked for, or works in the folder of one that is and comes later."""
    after = list(STAGES)[list(STAGES).index(name) + 1 :]
    shared = {*STAGES[name].needs} & {"lumin", "kemm"}
    return name in wanted or any(shared & {*STAGES[one].needs} for one in wanted if one in after)


def walk(bench: Bench, arguments: argparse.Namespace) -> None:
    """Go through all stages, and try those that are asked for."""
    if bench.run(["simulate", "lumin", *SIMULATION], bench.walk):
        raise SystemExit(bench.said())
    wanted, counts = arguments.stage or list(STAGES), []
    for write in (write_sources, *([write_checkpoint] if "convert" in wanted else [])):
        if ended(bench.begin(lambda write=write: write(bench.walk), bench.walk)):
            raise SystemExit(bench.said())
    for name, stage in STAGES.items():
        if not is_needed(name, wanted):
            continue
        if name in wanted and arguments.kills:
            kills, seed, orphans = arguments.kills, arguments.seed, arguments.orphans
            counts.append(try_kills(bench, name, kills, seed, orphans))
        elif name in wanted:
            counts += try_failures(bench, name, arguments.most, arguments.turn)
        if bench.run(words_of(stage, bench.walk), bench.walk):
            raise SystemExit(f"{name} fails without any failure:\n{bench.said()}")
        bench.load_the_same()
    points, equal = sum(c.points for c in counts), sum(c.equal for c in counts)
    print(f"in all: {points} points, {equal} equal after a second run")


if __name__ == "__main__":
    command()
