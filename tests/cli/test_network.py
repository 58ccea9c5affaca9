"""No command connects to anywhere but this machine, itself or by the processes that it starts."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from every_command import commands
from test_every_command import COMMANDS

from sequela.cli import demonstration

HERE = Path(__file__).parent


@pytest.fixture
def watched(tmp_path: Path) -> dict[str, str]:
    """An environment in which every Python process says whom it wants to connect to."""
    shutil.copyfile(HERE / "watch.py", tmp_path / "sitecustomize.py")
    kept = {name: value for name, value in os.environ.items() if name != "HF_HUB_OFFLINE"}
    return {**kept, "PYTHONPATH": str(tmp_path), "WATCHED": str(tmp_path / "connections")}


def run(environment: dict[str, str], *words: object) -> str:
    said = subprocess.run(
        [sys.executable, *map(str, words)], env=environment, capture_output=True, text=True
    )
    assert said.returncode == 0, said.stderr[-3000:]
    return said.stdout


def connections(environment: dict[str, str]) -> list[str]:
    log = Path(environment["WATCHED"])
    return log.read_text().splitlines() if log.exists() else []


def test_every_command_runs_and_none_connects(watched: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    codes = json.loads(run(watched, HERE / "every_command.py", tmp_path / "work").splitlines()[-1])
    assert {name: code for name, code in codes.items() if code} == {}
    assert connections(watched) == []
    assert len(Path(watched["WATCHED"] + ".processes").read_text().split()) > 10
    assert set(codes) == COMMANDS.keys() - {"demo"}
    assert {"simulate", *demonstration._WALK, "study"} <= set(codes)  # what the demos run


CONNECTS = """
import socket, subprocess, sys
try:
    socket.getaddrinfo("weights.example.org", 443)
except OSError:
    pass
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
    udp.connect(("192.0.2.1", 9))
with socket.socket() as own:
    own.bind(("127.0.0.1", 0)); own.listen()
    socket.create_connection(own.getsockname()).close()
from sequela.workers import each
list(each(socket.gethostbyname, [("child.example.org",)], workers=1))
"""


def test_the_watch_sees_what_a_process_and_its_children_want(watched: dict[str, str]) -> None:
    run(watched, "-c", CONNECTS)
    assert connections(watched) == [
        "socket.getaddrinfo weights.example.org",
        "socket.connect 192.0.2.1",
        "socket.gethostbyname child.example.org",
    ]


def test_the_words_of_every_command_are_here(tmp_path: Path) -> None:
    assert {name for name, _ in commands(tmp_path, "url")} == COMMANDS.keys() - {"demo", "simulate"}
