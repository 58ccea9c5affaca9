"""What is known of the design behind some predictions reaches every number of theirs."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from spoken import speak

from sequela.audit.audit import Audit
from sequela.cohort.cohort import read_cohort
from sequela.cohort.protocol import ProtocolSettings
from sequela.cohort.selection import select_cases
from sequela.evaluation.predictions import SCHEMA, Predictions, Provenance
from sequela.simulation.cohort import simulate
from sequela.simulation.settings import SIGNALS, SimulationSettings, VisitSettings

FEW = ("evaluation.bootstraps=10", "evaluation.curve_bootstraps=0")


@pytest.fixture(scope="module")
def yearly(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """No signal at all; everybody is examined every year until the end."""
    folder = tmp_path_factory.mktemp("yearly") / "cohort"
    visits = VisitSettings(fewest=10, most=10)
    simulate(
        SimulationSettings(
            patients=200, seed=5, images=False, signals=SIGNALS["none"], visits=visits
        ),
        folder,
    )
    (folder / "work").mkdir()
    return folder


def predict(folder: Path, protocol: ProtocolSettings) -> None:
    """Predictions that know nothing, of all cases that the protocol selects."""
    cohort = read_cohort(folder)
    selection = select_cases(cohort, protocol)
    count = len(selection.cases)
    constants = {"model": "m", "variant": "m", "repeat": 0, "fold": 0, "seed": 0, "split": "test"}
    table = pl.DataFrame(
        {
            "patient_id": [case.patient_id for case in selection.cases],
            "landmark": [case.landmark for case in selection.cases],
            "time": selection.followup.time,
            "event": selection.followup.event,
            "risk": np.random.default_rng(0).normal(size=count),
            "endpoint": protocol.endpoint,
        }
    ).with_columns(*(pl.lit(value).alias(name) for name, value in constants.items()), entry=None)
    typed = table.select(pl.col(name).cast(kind) for name, kind in SCHEMA.items())
    provenance = Provenance(
        protocol=protocol.name, horizon=protocol.label_horizon, cohort=cohort.fingerprint
    )
    Predictions(typed, provenance).write(folder / "work" / "predictions.parquet")


def estimates(content: Any) -> Iterator[dict[str, Any]]:
    if isinstance(content, list):
        for item in content:
            yield from estimates(item)
    elif isinstance(content, dict):
        if {"value", "low", "high"} <= content.keys():
            yield content
        for item in content.values():
            yield from estimates(item)


def test_exams_chosen_by_the_outcome_give_no_number_until_that_is_accepted(yearly: Path) -> None:
    predict(yearly, ProtocolSettings(name="paper"))
    for command in ("evaluate", "compare"):
        refused = speak("--json", command, yearly, *FEW)
        assert refused.code == 5
        assert "OUTCOME-DEPENDENT SAMPLING" in refused.error["message"]
        assert "--accept-biased-design" in refused.error["hint"]
    assert not (yearly / "work" / "evaluation.json").exists()
    content = speak("--json", "evaluate", yearly, *FEW, "--accept-biased-design").answer
    (model,) = content["models"]
    assert model["marks"] == ["outcome-dependent sampling"]
    assert model["provenance"]["sampling"]["low"] > 0.55
    found = list(estimates(content))
    assert len(found) > 20
    assert all(one["marks"] == ["outcome-dependent sampling"] for one in found)
    page = speak("evaluate", yearly, *FEW, "--accept-biased-design").out
    assert "OUTCOME-DEPENDENT SAMPLING" in page


def test_landmarks_need_no_acceptance_and_the_last_audit_is_believed(yearly: Path) -> None:
    predict(yearly, ProtocolSettings())
    content = speak("--json", "evaluate", yearly, *FEW).answer
    (model,) = content["models"]
    assert model["marks"] == []
    assert model["provenance"]["sampling"]["outcome_dependent"] is False
    assert all(one["marks"] == [] for one in estimates(content))
    timing = {"timing": {"auc": 0.7, "low": 0.6, "high": 0.8}}
    audit = Audit((), {}, ProtocolSettings(), model["provenance"]["cohort"]).as_json()
    stored = yearly / "work" / "audit.json"
    stored.write_text(json.dumps({**audit, "measured": timing}))
    assert speak("evaluate", yearly, *FEW).code == 5
    stored.write_text(json.dumps({**audit, "measured": timing, "cohort": "another"}))
    assert speak("evaluate", yearly, *FEW).code == 0
    stored.unlink()


def test_evaluate_compare_and_audit_load_no_torch_and_start_at_once(tmp_path: Path) -> None:
    table = tmp_path / "a.csv"
    generator = np.random.default_rng(1)
    risk = generator.normal(size=60)
    columns = {
        "patient": [f"p{number}" for number in range(60)],
        "time": generator.exponential(900 * np.exp(-risk)).round() + 1,
        "event": generator.integers(2, size=60),
    }
    pl.DataFrame({**columns, "risk": risk}).write_csv(table)
    pl.DataFrame({**columns, "risk": -risk}).write_csv(tmp_path / "b.csv")
    folder = tmp_path / "cohort"
    simulate(SimulationSettings(patients=60, seed=1, images=False), folder)
    lines = [["evaluate", str(table), *FEW], ["compare", str(table), str(tmp_path / "b.csv"), *FEW]]
    for words in (*lines, ["audit", str(folder)]):
        program = (
            "import sys, time\n"
            "from sequela.cli.main import main\n"
            "try:\n"
            f"    main({words!r})\n"
            "except SystemExit as end:\n"
            "    assert not end.code, end.code\n"
            "heavy = {'torch', 'timm', 'transformers', 'torchvision'} & set(sys.modules)\n"
            "assert not heavy, heavy\n"
        )
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "report.html").is_file()


@pytest.mark.parametrize("command", ["evaluate", "compare", "audit"])
def test_help_needs_half_a_second_of_processor_time(command: str) -> None:
    program = (
        "import time; from sequela.cli.main import main\n"
        f"try: main([{command!r}, '--help'])\n"
        "except SystemExit: pass\n"
        "print(time.process_time())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    # Half a second where nothing else runs; twice as much and more where cores are shared.
    assert float(done.stdout.splitlines()[-1]) < 2.0, done.stdout
