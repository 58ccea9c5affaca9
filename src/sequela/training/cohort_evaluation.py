"""Numbers of a cohort's predictions with all that the cohort knows: its design, its subgroups.

Imports no torch, so that `sequela evaluate` starts at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

from sequela.audit.sampling import SamplingVerdict, sampling_verdict
from sequela.cohort.cohort import Cohort
from sequela.cohort.protocol import ProtocolSettings
from sequela.evaluation.cohort_columns import column_of, usual_columns
from sequela.evaluation.evaluate import Evaluation, evaluate
from sequela.evaluation.predictions import Predictions, Sampling
from sequela.evaluation.settings import EvaluationSettings
from sequela.evaluation.subgroups import Division
from sequela.settings import read_section

_PROTOCOLS = get_args(ProtocolSettings.model_fields["name"].annotation)


def evaluate_cohort(
    cohort: Cohort,
    work: Path,
    predictions: Sequence[Predictions],
    settings: EvaluationSettings,
) -> Evaluation:
    """What `sequela evaluate COHORT` writes: `evaluate`, with the design judged and subgroups.

    Args:
        cohort: Whose patients the predictions are of.
        work: Its work folder.
        predictions: Tables of one model or several.
        settings: How predictions become numbers.

    Raises:
        DataError: If a table does not keep the contract.
        LeakageError: If cases were sampled by the outcome and the settings do not accept it.
    """
    judged = [with_design(one, cohort, work) for one in predictions]
    divisions = usual_divisions(cohort, judged)
    return evaluate(judged, settings, divisions)


def usual_divisions(cohort: Cohort, predictions: Sequence[Predictions]) -> list[Division]:
    """The subgroups that are reported unless others are asked for."""
    rows = predictions[0].table
    tables = {name: column_of(cohort, name, rows) for name in usual_columns(cohort)}
    return [Division.of(name, table) for name, table in tables.items() if table is not None]


def with_design(predictions: Predictions, cohort: Cohort, work: Path) -> Predictions:
    """The same, knowing whether the outcome decided which visits its patients are seen at."""
    verdict = _verdict(predictions, cohort, work)
    known = predictions.provenance.evolve(sampling=Sampling(**verdict.as_json()))
    return replace(predictions, provenance=known)


def _verdict(predictions: Predictions, cohort: Cohort, work: Path) -> SamplingVerdict:
    asked, endpoint = predictions.provenance, str(predictions.table["endpoint"][0])
    if asked.protocol not in _PROTOCOLS or endpoint not in cohort.manifest.endpoints:
        return SamplingVerdict(None, reason="the predictions name no protocol of ours")
    own = cohort.folder / "sequela.yaml"
    files = [*sorted((work / "runs").glob("*/config.yaml")), own if own.is_file() else None]
    read = [read_section("protocol", ProtocolSettings, file) for file in files]
    same = [one for one in read if one.name == asked.protocol and one.endpoint == endpoint]
    changes: dict[str, Any] = {"name": asked.protocol, "endpoint": endpoint}
    if asked.horizon is not None:
        changes["horizon"] = asked.horizon
    return sampling_verdict(cohort, same[0] if same else read[-1].evolve(**changes), work)
