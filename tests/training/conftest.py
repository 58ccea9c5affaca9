"""A simulated cohort, prepared once, and runs of the smallest models on it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # toys.py, here and in child processes

from sequela.settings import validated
from sequela.simulation.cohort import simulate
from sequela.simulation.settings import MammogramSettings, SimulationSettings
from sequela.training.configuration import Configuration
from sequela.training.preparation import prepare
from sequela.training.project import Fold, Project
from sequela.training.run import Run
from sequela.training.stages import predict_all, pretrain_all, train_all

TINY = {
    "images": {"size": 32},
    "text": {"tokens": 24, "tiny": {"vocabulary": 300, "layers": 1, "dim": 16, "heads": 2}},
    "model": {
        "image": {"name": "resnet10t", "options": {"channels": [8, 8, 8, 8], "stem_width": 4}},
        "dim": 16,
        "heads": 2,
        "layers": 1,
    },
    "pretrain": {"epochs": 2, "image_rate": 1e-3, "text_rate": 1e-3, "new_rate": 1e-3},
    "train": {"epochs": 2, "image_rate": 1e-3, "text_rate": 1e-3, "new_rate": 1e-3},
    "machine": {"threads": 1, "device": "cpu"},
}


def tiny_configuration(**sections: object) -> Configuration:
    return validated(Configuration, {**TINY, **sections}, where="the test")


def simulated(folder: Path, patients: int, seed: int, *, images: bool = True) -> Path:
    mammogram = MammogramSettings(height=64, width=64, transfer_syntaxes=("explicit",))
    settings = SimulationSettings(patients=patients, seed=seed, images=images, mammogram=mammogram)
    simulate(settings, folder)
    return folder


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
