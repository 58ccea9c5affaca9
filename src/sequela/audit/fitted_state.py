"""Whether what a run has fitted comes from its training patients alone."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Float

from sequela.audit.findings import finding
from sequela.cohort.cohort import Cohort
from sequela.cohort.findings import Finding
from sequela.cohort.patient import Case
from sequela.cohort.protocol import ProtocolSettings
from sequela.cohort.selection import Selection, select_cases
from sequela.cohort.split_files import read_table
from sequela.survival.aalen_johansen import aalen_johansen
from sequela.survival.followup import Followup
from sequela.survival.time_bins import TimeBins

_HEADER = 8  # bytes of a safetensors file that say how long its header is
_TOLERANCE = 1e-9
_LOST_TO_TIES = 20


@dataclass(frozen=True)
class _Rows:
    """Some cases, what became of them and their covariates, one row a case."""

    cases: tuple[Case, ...]
    followup: Followup
    covariates: pl.DataFrame


def fitted_findings(cohort: Cohort, work: Path) -> Iterator[Finding]:
    """Statistics in the checkpoints that are not those of the run's training patients.

    Each is computed anew from the training patients, as WORK/splits.csv names them: a statistic
    that they alone do not give moves when validation or test patients change. Runs of another
    state of the cohort are passed over.
    """
    if not (work / "splits.csv").is_file():
        return
    splits = read_table(work / "splits.csv")
    for path in sorted((work / "runs").glob("*/checkpoint.safetensors")):
        stored = read_state(path)
        if stored.get("cohort") != cohort.fingerprint or "protocol" not in stored:
            continue
        train, everybody = _rows(cohort, stored, splits)
        right = dict(_compared(stored, train))
        of_all = dict(_compared(stored, everybody))
        for name in (name for name, same in right.items() if not same):
            whose = "that of all patients" if of_all[name] else "of other patients"
            run = path.parent.name
            yield finding("A051", f"runs/{run}", None, run=run, name=name, whose=whose)


def read_state(path: Path) -> dict[str, Any]:
    """What stands beside the weights of a checkpoint; nothing where the file is not one of ours."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(_HEADER), "little")
        if length > path.stat().st_size:
            return {}
        try:
            header = json.loads(file.read(length))
            values = json.loads(header["__metadata__"]["sequela"])
        except (KeyError, ValueError):
            return {}
    return values if isinstance(values, dict) else {}


def _rows(cohort: Cohort, stored: Mapping[str, Any], splits: pl.DataFrame) -> tuple[_Rows, _Rows]:
    selection = select_cases(cohort, ProtocolSettings.model_validate(stored["protocol"]))
    own = splits.filter(repeat=stored["repeat"], fold=stored["fold"], split="train")
    names = set(own["patient_id"])
    inside = np.array([case.patient_id in names for case in selection.cases])
    return _taken(cohort, selection, inside), _taken(cohort, selection, np.ones_like(inside))


def _taken(cohort: Cohort, selection: Selection, inside: np.ndarray) -> _Rows:
    cases = tuple(case for case, kept in zip(selection.cases, inside, strict=True) if kept)
    names = pl.DataFrame({"patient_id": [case.patient_id for case in cases]})
    covariates = names.join(cohort.covariates, on="patient_id", how="left", maintain_order="left")
    return _Rows(cases, selection.followup[inside], covariates)


def _compared(stored: Mapping[str, Any], rows: _Rows) -> Iterator[tuple[str, bool]]:
    """Each statistic that is stored, and whether it is that of some rows."""
    head, baseline = stored.get("head") or {}, stored.get("baseline") or {}
    if head.get("edges"):
        yield "edges of the time bins", _are_edges(head, stored["cause"], rows.followup)
    if "steps" in baseline:
        yield "baseline curve", _same(baseline["steps"], _steps(stored["cause"], rows.followup))
    if baseline.get("scaler"):
        yield "centres of covariates", _same(*_centres(baseline["scaler"], rows.covariates))


def _are_edges(head: Mapping[str, Any], cause: int, followup: Followup) -> bool:
    """Whether quantiles of the rows' event times are the edges; ties leave fewer than asked for."""
    fewest = len(head["edges"]) + 1
    found = (
        TimeBins.fit(followup, count, cause=cause, horizon=head.get("horizon")).edges
        for count in range(fewest, fewest + _LOST_TO_TIES)
    )
    return any(_same(head["edges"], edges) for edges in found)


def _steps(cause: int, followup: Followup) -> Float[np.ndarray, " time"]:
    curve = aalen_johansen(followup.time, followup.event, cause=cause, entry=followup.entry)
    return 1 - curve.incidence


def _centres(
    scaler: Mapping[str, Any], covariates: pl.DataFrame
) -> tuple[list[float], list[float]]:
    """Stored and own means of the numeric covariates."""
    theirs, own, place = [], [], 0
    for column in scaler["columns"]:
        if not column["levels"]:
            theirs.append(float(scaler["centre"][place]))
            known = covariates[column["name"]].drop_nulls().to_numpy()
            own.append(float(known.mean()) if len(known) else 0.0)
        place += max(len(column["levels"]) - 1, 1) if column["one_hot"] else 1
    return theirs, own


def _same(theirs: Sequence[float], own: Sequence[float] | Float[np.ndarray, " value"]) -> bool:
    return len(theirs) == len(own) and np.allclose(theirs, own, rtol=_TOLERANCE, atol=_TOLERANCE)
