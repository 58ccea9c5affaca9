from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # spoken.py

from spoken import TINY, Spoken, speak

SIMULATION = (
    "simulation.patients=30",
    "simulation.visits.most=3",
    "simulation.hazard.five_year_recurrence=0.5",
    "simulation.mammogram.height=64",
    "simulation.mammogram.width=64",
)
VARIANTS = ("st-i", "st-r", "lumin", "cox-clinical", "kaplan-meier", "timing-only")


def steps(cohort: Path) -> dict[str, tuple[object, ...]]:
    """Every command of the walk after `simulate`, in order."""
    variants = [word for name in VARIANTS for word in ("--variant", name)]
    return {
        "check": ("check", cohort),
        "prepare": ("prepare", cohort),
        "pretrain": ("pretrain", cohort),
        "train": ("train", cohort, *variants),
        "predict": ("predict", cohort),
        "evaluate": ("evaluate", cohort),
        "compare": ("compare", cohort),
        "explain": ("explain", cohort),
        "report": ("report", cohort),
    }


@pytest.fixture(scope="session")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny synthetic cohort, nothing made of it yet. Not to be changed."""
    cohort = tmp_path_factory.mktemp("simulated") / "cohort"
    told = speak("--json", "simulate", cohort, *SIMULATION).answer
    assert told["patients"] == 30
    (cohort / "sequela.yaml").write_text(TINY, encoding="utf-8")
    return cohort


@pytest.fixture(scope="session")
def walked(
    simulated: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, Spoken]]:
    """The same after every command, and what each said. Not to be changed."""
    cohort = tmp_path_factory.mktemp("walked") / "cohort"
    shutil.copytree(simulated, cohort)
    return cohort, {name: speak("--json", *words) for name, words in steps(cohort).items()}


@pytest.fixture
def copied(simulated: Path, tmp_path: Path) -> Path:
    """A copy of the tiny cohort, to spoil."""
    return Path(shutil.copytree(simulated, tmp_path / "cohort"))


@pytest.fixture
def copied_walk(walked: tuple[Path, dict[str, Spoken]], tmp_path: Path) -> Path:
    """A copy of the cohort after the whole walk, to spoil."""
    return Path(shutil.copytree(walked[0], tmp_path / "cohort"))


@pytest.fixture(scope="session")
def commands() -> Callable[[Path], dict[str, tuple[object, ...]]]:
    return steps
