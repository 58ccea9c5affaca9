"""A small piece of benchmarks/crashes.py: two commands fail at their first calls, and recover."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).parents[1] / "benchmarks" / "crashes.py"
STAGES = ("import-table", "refine")


@pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("cc") is None,
    reason="calls are made to fail by a library that is compiled for Linux",
)
def test_a_command_whose_write_fsync_or_rename_failed_ends_as_if_unhurt(tmp_path: Path) -> None:
    stages = [word for name in STAGES for word in ("--stage", name)]
    few = ("--most", "4", "--turn", "0", "--folder", str(tmp_path))
    done = subprocess.run(
        [sys.executable, str(BENCHMARK), *few, *stages],
        capture_output=True,
        text=True,
        check=False,
        env={name: value for name, value in os.environ.items() if name != "LD_PRELOAD"},
    )
    lines = re.findall(r"(\d+) points of \d+, (\d+) equal, (\d+) told", done.stdout)
    assert len(lines) == 2 * 3 * 3, done.stdout + done.stderr
    assert all(points == equal == told for points, equal, told in lines), done.stdout
    assert sum(int(points) for points, _, _ in lines) >= 15
