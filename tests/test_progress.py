from __future__ import annotations

import io
from collections.abc import Iterator

import pytest
from rich.console import Console

from sequela import progress


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    text = io.StringIO()
    monkeypatch.setattr(progress, "console", Console(file=text, width=100))
    yield text


def test_without_a_terminal_a_finished_stage_is_one_line(written: io.StringIO) -> None:
    with progress.stage("prepare images", 3) as advance:
        for _ in range(3):
            advance(1)
    assert written.getvalue().startswith("prepare images: 3 of 3 in ")
    assert written.getvalue().count("\n") == 1


@pytest.mark.parametrize(
    ("done", "line"), [(1, "train: 1 of 4, about 60 s left\n"), (0, "train: 0 of 4\n")]
)
def test_a_long_stage_says_how_much_is_left_once_a_step_is_done(
    written: io.StringIO, monkeypatch: pytest.MonkeyPatch, done: int, line: str
) -> None:
    clock = iter([0.0, 20.0, 40.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    with progress.stage("train", 4) as advance:
        advance(done)
    assert written.getvalue().startswith(line)


def test_what_is_said_stands_as_it_is_or_is_told_to_whoever_says_it(written: io.StringIO) -> None:
    progress.say("19 of 345 [patients]")
    assert written.getvalue() == "19 of 345 [patients]\n"
    heard: list[str] = []
    token = progress.teller.set(heard.append)
    progress.say("again")
    progress.teller.reset(token)
    assert heard == ["again"] and "again" not in written.getvalue()


def test_quiet_prints_nothing(written: io.StringIO) -> None:
    token = progress.quiet.set(True)
    with progress.stage("train", 4) as advance:
        advance(4)
    progress.quiet.reset(token)
    assert written.getvalue() == ""


def test_an_error_in_a_stage_is_not_swallowed(written: io.StringIO) -> None:
    with pytest.raises(ValueError, match="inside"), progress.stage("train", 4):
        raise ValueError("inside")
