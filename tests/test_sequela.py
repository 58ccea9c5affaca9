from __future__ import annotations

import subprocess
import sys

import pytest

import sequela


@pytest.mark.parametrize("name", sequela.__all__)
def test_every_name_of_the_package_can_be_had(name: str) -> None:
    assert getattr(sequela, name) is not None
    assert name in dir(sequela)


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such_noun"):
        sequela.no_such_noun  # noqa: B018


def test_importing_the_package_loads_no_room() -> None:
    script = "import sys, sequela; print([m for m in sys.modules if m.startswith('sequela.')])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


def test_what_reads_numbers_alone_starts_without_torch() -> None:
    script = (
        "import sys\n"
        "from importlib import import_module\n"
        "for room in sys.argv[1:]:\n"
        "    import_module('sequela.' + room)\n"
        "    if 'torch' in sys.modules: sys.exit(room)\n"
    )
    rooms = (
        "cohort.checks",
        "evaluation.evaluate",
        "models.baselines",
        "report",
        "simulation.cohort",
    )
    done = subprocess.run([sys.executable, "-c", script, *rooms], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
