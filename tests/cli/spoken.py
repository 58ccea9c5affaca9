"""The command line as a user meets it: what it prints, and the code it ends with."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sequela.cli.main import main
from sequela.storage import fingerprint

TINY = """\
protocol: {name: landmark, endpoint: recurrence, horizon: 1095}
split: {test: 0.3, validation: 0.3}
images: {size: 32}
text: {encoder: tiny, tokens: 32}
model:
  dim: 16
  heads: 2
  image: {name: resnet10t, options: {channels: [4, 4, 8, 8], stem_width: 4}}
head: {kind: discrete-hazard}
pretrain: {epochs: 1, batch: 16}
train: {epochs: 2, batch: 16}
evaluation: {bootstraps: 20}
explain: {patients: 1}
machine: {threads: 1, jobs: 1}
"""
"""A configuration under which every stage takes seconds."""


@dataclass(frozen=True)
class Spoken:
    """What one command said."""

    code: int
    out: str
    err: str

    @property
    def all(self) -> str:
        return self.out + self.err

    @property
    def answer(self) -> dict[str, Any]:
        """The answer of `--json`, which is one line."""
        assert self.code == 0, self.err
        assert self.out.count("\n") == 1
        content = json.loads(self.out)
        assert isinstance(content, dict)
        return content

    @property
    def error(self) -> dict[str, Any]:
        """The error of `--json`, the last line on stderr."""
        assert self.code != 0
        content = json.loads(self.err.splitlines()[-1])
        assert isinstance(content, dict)
        return content


def speak(*words: object) -> Spoken:
    """Run one command in this process."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as caught:
        main([str(word) for word in words])
    code = caught.value.code or 0
    assert isinstance(code, int)
    return Spoken(code, out.getvalue(), err.getvalue())


def contents(folder: Path) -> dict[str, str]:
    """The fingerprint of every file below a folder; locks aside."""
    return {
        path.relative_to(folder).as_posix(): fingerprint(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.endswith(".lock")
    }
