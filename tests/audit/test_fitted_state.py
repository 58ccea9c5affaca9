"""Statistics that validation or test patients have moved are found in the checkpoints."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from sequela.audit.fitted_state import fitted_findings, read_state
from sequela.cohort.cohort import Cohort, read_cohort
from sequela.cohort.protocol import ProtocolSettings
from sequela.cohort.selection import select_cases
from sequela.survival.aalen_johansen import aalen_johansen
from sequela.survival.time_bins import TimeBins


def write_state(run: Path, state: dict[str, Any]) -> None:
    """A safetensors file without a tensor."""
    header = json.dumps({"__metadata__": {"sequela": json.dumps(state)}}).encode()
    run.mkdir(parents=True)
    (run / "checkpoint.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)


@pytest.fixture
def cohort(copied: Path) -> Cohort:
    """With a split: the first two thirds of the patients train."""
    found = read_cohort(copied)
    names = [patient.patient_id for patient in found.patients]
    split = ["train" if place < len(names) * 2 // 3 else "test" for place in range(len(names))]
    (copied / "work").mkdir()
    pl.DataFrame({"repeat": 0, "fold": 0, "patient_id": names, "split": split}).write_csv(
        copied / "work" / "splits.csv"
    )
    return found


def fitted(cohort: Cohort, *, everybody: bool) -> dict[str, Any]:
    """What a run stores that fits on training patients, or on all."""
    protocol = ProtocolSettings()
    selection = select_cases(cohort, protocol)
    names = [patient.patient_id for patient in cohort.patients]
    own = set(names if everybody else names[: len(names) * 2 // 3])
    inside = np.array([case.patient_id in own for case in selection.cases])
    train = selection.followup[inside]
    curve = aalen_johansen(train.time, train.event, cause=1, entry=train.entry)
    cases = [case.patient_id for case in selection.cases if case.patient_id in own]
    ages = pl.DataFrame({"patient_id": cases}).join(cohort.covariates, on="patient_id")["age"]
    scaler = {
        "columns": [
            {"name": "receptor", "levels": ["a", "b", "c"], "one_hot": True},
            {"name": "age", "levels": [], "one_hot": False},
        ],
        "centre": [0.1, 0.2, float(ages.drop_nulls().to_numpy().mean())],
    }
    edges = list(TimeBins.fit(train, 4, horizon=1826.0).edges)
    return {
        "cohort": cohort.fingerprint,
        "protocol": protocol.model_dump(mode="json"),
        "repeat": 0,
        "fold": 0,
        "cause": 1,
        "head": {"edges": edges, "horizon": 1826.0},
        "baseline": {"steps": (1 - curve.incidence).tolist(), "scaler": scaler},
    }


def test_what_training_patients_give_is_no_finding(cohort: Cohort) -> None:
    work = cohort.folder / "work"
    state = fitted(cohort, everybody=False)
    write_state(work / "runs" / "honest", state)
    assert read_state(work / "runs" / "honest" / "checkpoint.safetensors") == state
    assert list(fitted_findings(cohort, work)) == []


def test_what_all_patients_give_is_a_leak_each(cohort: Cohort) -> None:
    work = cohort.folder / "work"
    write_state(work / "runs" / "leaky", fitted(cohort, everybody=True))
    found = list(fitted_findings(cohort, work))
    assert [item.code for item in found] == ["A051"] * 3
    assert all(item.severity == "error" for item in found)
    assert all("it is that of all patients" in item.message for item in found)
    named = " ".join(item.message for item in found)
    for name in ("edges of the time bins", "baseline curve", "centres of covariates"):
        assert name in named


def test_runs_of_another_cohort_and_broken_files_are_passed_over(cohort: Cohort) -> None:
    work = cohort.folder / "work"
    stale = {**fitted(cohort, everybody=True), "cohort": "another"}
    write_state(work / "runs" / "stale", stale)
    (work / "runs" / "broken").mkdir()
    (work / "runs" / "broken" / "checkpoint.safetensors").write_bytes(b"\xff" * 40)
    (work / "runs" / "cut").mkdir()
    (work / "runs" / "cut" / "checkpoint.safetensors").write_bytes(b"\x02")
    assert list(fitted_findings(cohort, work)) == []
