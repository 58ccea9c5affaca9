"""A simulated cohort, prepared once, and runs of the smallest models on it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # toys.py, here and in child processes

from tiny_runs import simulated, tiny_configuration

from sequela.training.preparation import prepare
from sequela.training.project import Fold, Project
from sequela.training.run import Run
from sequela.training.stages import predict_all, pretrain_all, train_all


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A cohort with images and notes, divided and decoded, and nothing trained."""
    folder = simulated(tmp_path_factory.mktemp("cohorts") / "sim", patients=28, seed=4)
    project = Project.open(folder, configuration=tiny_configuration())
    prepare(project)
    return project


@pytest.fixture(scope="session")
def trained(prepared: Project) -> Project:
    """The same with `lumin`, `st-r` and Cox trained, and their predictions collected."""
    pretrain_all(prepared)
    train_all(prepared, ["lumin", "st-r", "cox-clinical"])
    predict_all(prepared)
    return prepared


@pytest.fixture
def run_of(trained: Project) -> Callable[[str], Run]:
    return lambda name: Run(trained.run_folder(name, Fold()))
