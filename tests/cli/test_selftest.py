"""Damaged files of every kind are read or refused; a crash would be seen."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from spoken import speak

from sequela.cli import fuzzing
from sequela.cli.fuzzing import READERS, Trial, tried
from sequela.simulation.specimens import KINDS, write_specimens


def test_what_is_not_damaged_is_read(tmp_path: Path) -> None:
    for kind, paths in write_specimens(tmp_path).items():
        for number, path in enumerate(paths):
            folder = tmp_path / f"{kind} {number}"
            folder.mkdir()
            READERS[kind](path.read_bytes(), folder)


@pytest.mark.filterwarnings("ignore")
def test_damaged_files_are_read_or_refused(tmp_path: Path) -> None:
    made = write_specimens(tmp_path)
    fates: Counter[tuple[str, str, str]] = Counter()
    for number in range(40 * len(KINDS)):
        kind = KINDS[number % len(KINDS)]
        fate = tried(Trial(kind, made[kind][0], 11, number))
        fates[kind, fate.outcome, fate.reason] += 1
    assert not [fate for fate in fates if fate[1] not in ("read", "refused")]
    assert {kind for kind, outcome, _ in fates if outcome == "refused"} == set(KINDS)


def test_a_crash_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: bytes, __: Path) -> None:
        raise ZeroDivisionError("CANARY-4711")

    monkeypatch.setitem(fuzzing.READERS, "npy", broken)  # type: ignore[arg-type]
    fate = tried(Trial("npy", write_specimens(tmp_path)["npy"][0], 0, 0))
    assert fate.outcome == "crash"
    assert fate.reason.startswith("ZeroDivisionError at ")
    assert "CANARY" not in fate.reason


def test_the_command_counts_by_kind_and_outcome() -> None:
    told = speak("--json", "selftest", "fuzz", "--n", 20, "--seed", 3).answer
    assert told["files"] == sum(told["outcomes"].values()) == 20
    assert told["faults"] == []
