"""A small simulated cohort of tumours with a KEMM that was trained for an epoch."""

from __future__ import annotations

from pathlib import Path

from sequela.cli.kemm_demonstration import signatures
from sequela.cohort.protocol import ProtocolSettings
from sequela.cohort.splits import SplitSettings
from sequela.evaluation.settings import EvaluationSettings
from sequela.models.kemm_config import KemmConfig
from sequela.simulation.tumour_cohort import simulate_tumours
from sequela.simulation.tumours import TumourSettings
from sequela.training.configuration import Configuration, ExplainSettings
from sequela.training.fitting import MachineSettings, TrainSettings
from sequela.training.preparation import prepare
from sequela.training.project import Project

CONFIGURATION = Configuration(
    protocol=ProtocolSettings(name="cross-validation", endpoint="os", horizon=None),
    split=SplitSettings(test=0.5, validation=0),
    model=KemmConfig(dim=8, heads=2, hidden=4, components=3, shared_space=2.0),
    train=TrainSettings(epochs=1, batch=16, new_rate=1e-2, select="last", patience=None),
    evaluation=EvaluationSettings(bootstraps=20, curve_bootstraps=5),
    explain=ExplainSettings(patients=3, checked=6),
    machine=MachineSettings(device="cpu", jobs=1, threads=1, workers=0),
)


def tumour_project(folder: Path) -> Project:
    """Prepared, nothing trained."""
    settings = TumourSettings(patients=48, patches=20, missing=0.1, seed=1)
    simulate_tumours(settings, signatures(), folder)
    project = Project.open(folder, configuration=CONFIGURATION)
    prepare(project)
    return project
