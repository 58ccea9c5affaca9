from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sequela import errors
from sequela.cli import main as command_line
from sequela.errors import SequelaError
from sequela.progress import quiet


def exit_code(*words: str) -> int:
    with pytest.raises(SystemExit) as caught:
        command_line.main(words)
    return int(caught.value.code or 0)


@pytest.mark.parametrize("words", [[], ["check"], ["audit"], ["evaluate"], ["import", "dicom"]])
def test_help_loads_neither_torch_nor_the_tables(words: list[str]) -> None:
    script = (
        "import sys\n"
        "from sequela.cli.main import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit as end: code = end.code\n"
        "heavy = {'torch', 'polars', 'numpy', 'scipy', 'timm', 'transformers'} & set(sys.modules)\n"
        "sys.exit(f'{code} {heavy}' if code or heavy else 0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *words, "--help"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "Usage: " in done.stdout


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--version",), 0),
        (("no-such-command",), 2),
        (("check",), 2),
        (("check", "--no-such-option", "."), 2),
        (("list", "no-such-kind"), 2),
    ],
)
def test_usage_faults_exit_with_2(words: tuple[str, ...], code: int) -> None:
    assert exit_code(*words) == code


def test_an_error_is_json_on_stderr_wherever_the_flag_stands(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in (("--json", "check"), ("check", "--json")):
        assert exit_code(*words, "--none", str(tmp_path)) == 2
        error = json.loads(capsys.readouterr().err)
        assert error["code"] == "usage"
        assert set(error) == {"code", "message", "hint", "items"}


@pytest.mark.parametrize(("given", "kept"), [(None, "PASSIVE"), ("ACTIVE", "ACTIVE")])
def test_waiting_threads_sleep_unless_the_user_says_otherwise(
    given: str | None, kept: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_WAIT_POLICY", given or "")
    if given is None:
        monkeypatch.delenv("OMP_WAIT_POLICY")
    exit_code("--version")
    assert os.environ["OMP_WAIT_POLICY"] == kept


def all_kinds(kind: type[SequelaError] = SequelaError) -> list[type[SequelaError]]:
    return [kind, *(deeper for below in kind.__subclasses__() for deeper in all_kinds(below))]


def test_every_error_has_an_exit_code_of_the_contract() -> None:
    meant = {
        errors.UsageError: 2,
        errors.DataError: 3,
        errors.UndefinedMetricError: 3,
        errors.LockedError: 4,
        errors.LeakageError: 5,
        errors.InterruptedRunError: 6,
        errors.ResourceLimitError: 7,
    }
    assert {kind: kind.exit_code for kind in meant} == meant
    ours = [kind for kind in all_kinds() if kind.__module__.startswith("sequela")]
    assert all(kind.exit_code in {1, 2, 3, 4, 5, 6, 7} for kind in ours)


@pytest.mark.parametrize(
    ("raised", "code"),
    [
        (KeyboardInterrupt(), 6),
        (MemoryError(), 7),
        (OSError(errno.ENOSPC, "no space", "/home/4711"), 7),
        (OSError(errno.EIO, "broken", "/home/4711"), 4),
        (ZeroDivisionError("secret 4711"), 1),
    ],
)
def test_nothing_reaches_a_user_as_a_traceback(
    raised: BaseException,
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(**_: object) -> None:
        raise raised

    monkeypatch.setattr(command_line, "app", fail)
    assert exit_code("check", ".") == code
    printed = capsys.readouterr()
    assert "Traceback" not in printed.err + printed.out
    assert "4711" not in printed.err + printed.out


def test_a_message_with_brackets_is_printed_as_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(**_: object) -> None:
        raise errors.DataError("column [extra] is missing", hint="add [extra]")

    monkeypatch.setattr(command_line, "app", fail)
    exit_code("check", ".")
    assert capsys.readouterr().err.count("[extra]") == 2


def test_options_end_with_their_command(capsys: pytest.CaptureFixture[str]) -> None:
    exit_code("--json", "list", "metrics")
    assert capsys.readouterr().out.startswith("{")
    assert not quiet.get()
