"""Sequela predicts what follows a cancer: recurrence and survival. Research use only.

The nouns of the command line, as Python: each name below is loaded when it is first used, so that
`import sequela` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_WHERE = {
    "Cohort": "cohort.cohort",
    "Configuration": "training.configuration",
    "Predictions": "evaluation.predictions",
    "Project": "training.project",
    "SimulationSettings": "simulation.settings",
    "check_cohort": "cohort.checks",
    "evaluate": "evaluation.evaluate",
    "evaluate_cohort": "training.cohort_evaluation",
    "explain": "interpretation.explain",
    "import_dicom": "importers.dicom",
    "predict_all": "training.stages",
    "prepare": "training.preparation",
    "pretrain_all": "training.stages",
    "read_cohort": "cohort.cohort",
    "read_predictions": "evaluation.foreign",
    "read_settings": "settings",
    "simulate": "simulation.cohort",
    "train_all": "training.stages",
    "write_report": "report.page",
}

__all__ = [*sorted(_WHERE), "__version__"]

if TYPE_CHECKING:
    from sequela.cohort.checks import check_cohort as check_cohort
    from sequela.cohort.cohort import Cohort as Cohort
    from sequela.cohort.cohort import read_cohort as read_cohort
    from sequela.evaluation.evaluate import evaluate as evaluate
    from sequela.evaluation.foreign import read_predictions as read_predictions
    from sequela.evaluation.predictions import Predictions as Predictions
    from sequela.importers.dicom import import_dicom as import_dicom
    from sequela.interpretation.explain import explain as explain
    from sequela.report.page import write_report as write_report
    from sequela.settings import read_settings as read_settings
    from sequela.simulation.cohort import simulate as simulate
    from sequela.simulation.settings import SimulationSettings as SimulationSettings
    from sequela.training.cohort_evaluation import evaluate_cohort as evaluate_cohort
    from sequela.training.configuration import Configuration as Configuration
    from sequela.training.preparation import prepare as prepare
    from sequela.training.project import Project as Project
    from sequela.training.stages import predict_all as predict_all
    from sequela.training.stages import pretrain_all as pretrain_all
    from sequela.training.stages import train_all as train_all


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'sequela' has no attribute {name!r}")
    return getattr(import_module(f"sequela.{_WHERE[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_WHERE})
