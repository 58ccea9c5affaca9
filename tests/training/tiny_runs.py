"""The smallest configuration and cohort that everything trains on in a second."""

from __future__ import annotations

from pathlib import Path

from sequela.settings import validated
from sequela.simulation.cohort import simulate
from sequela.simulation.settings import MammogramSettings, SimulationSettings
from sequela.training.configuration import Configuration

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
