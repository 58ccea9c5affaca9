"""Two commands in one folder, killed ones, and Ctrl-C: with processes as a user has them."""

from __future__ import annotations

import fcntl
import os
import re
import resource
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from spoken import contents
from zygote import Zygote

SMALL = ("text.tiny={vocabulary: 300, layers: 1, dim: 16, heads: 2}",)
LONG = ("pretrain.epochs=4", "train.epochs=4")
STUDY = "cohort: cohort\nsettings: {train: {epochs: 4}}\nentries: [cox-clinical, st-r]\n"
COMMANDS = {
    "prepare": ("other/.lock", ("prepare", "cohort", "--work", "other", *SMALL)),
    "pretrain": ("cohort/work/runs/.pretrain.lock", ("pretrain", "cohort", *SMALL, *LONG)),
    "train": (
        "cohort/work/runs/.lumin-without-pretraining.lock",
        ("train", "cohort", "-v", "lumin-without-pretraining", *SMALL, *LONG),
    ),
    "study": ("cohort/work/studies/short/.lock", ("study", "short.yaml")),
}
"""Of each command the lock that it holds, and its words."""
FITTED = {"pretrain": "pretrain", "train": "lumin-without-pretraining"}


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    with Zygote() as process:
        yield process


@pytest.fixture(scope="module")
def place(zygote: Zygote, simulated: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a prepared cohort, and a study of it."""
    folder = tmp_path_factory.mktemp("interrupted")
    shutil.copytree(simulated, folder / "cohort")
    (folder / "short.yaml").write_text(STUDY, encoding="utf-8")
    words = ("prepare", "cohort", *SMALL)
    assert zygote.ended(zygote.begin(words, folder / "said", folder)) == 0
    return folder


def until(true: Callable[[], bool], *, seconds: float = 100.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.005)


def held(lock: Path) -> bool:
    if not lock.exists():
        return False
    with lock.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def in_a_new_interpreter(
    folder: Path, *words: str
) -> tuple[subprocess.CompletedProcess[str], float]:
    """What a command said, and the seconds of a core that it took, loading included."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "sequela", *words]
    said = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return said, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


@pytest.mark.parametrize("name", COMMANDS)
def test_a_second_command_is_told_at_once_and_the_first_can_be_stopped_and_killed(
    name: str, zygote: Zygote, place: Path
) -> None:
    lock, words = place / COMMANDS[name][0], COMMANDS[name][1]
    said, state = (
        place / "said",
        place / "cohort/work/runs" / FITTED.get(name, "") / "state.safetensors",
    )

    first = zygote.begin((*words, "--restart") if name in FITTED else words, said, place)
    until(lambda: held(lock) and (state.exists() or name not in FITTED))
    os.kill(first, signal.SIGSTOP)
    before = contents(place)
    second, seconds = in_a_new_interpreter(place, *words)
    assert second.returncode == 4, second.stderr
    assert f"another process (process {first}) works " in second.stderr
    assert "wait for it to end and run it again, or choose another folder" in second.stderr
    assert seconds < 2.0
    assert contents(place) == before

    os.kill(first, signal.SIGINT)
    os.kill(first, signal.SIGCONT)
    assert zygote.ended(first) == 6, said.read_text()
    told = re.search(r"`(sequela .+?)` goes on from there", said.read_text())
    assert told is not None, said.read_text()
    assert tuple(shlex.split(told[1])[1:]) == words
    if name in ("pretrain", "study"):
        return  # fitted and locked as in `train`; benchmarks/crashes.py stops all of them anywhere

    resumed = zygote.begin(words, said, place)
    until(lambda: held(lock))
    os.kill(resumed, signal.SIGKILL)
    assert zygote.ended(resumed) == -signal.SIGKILL
    assert zygote.ended(zygote.begin(words, said, place)) == 0, said.read_text()
    assert not state.exists()
