from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from sequela.errors import DataError
from sequela.interpretation.explain import explain, furthest_off
from sequela.interpretation.outcomes import in_words, outcomes, within
from sequela.report import write_report
from sequela.seal import broken_seals
from sequela.settings import validated
from sequela.simulation.cohort import simulate
from sequela.simulation.settings import SimulationSettings
from sequela.survival.followup import Followup
from sequela.training.baselines import train_baseline
from sequela.training.configuration import Configuration
from sequela.training.preparation import prepare
from sequela.training.project import Fold, Project
from sequela.training.run import Run
from sequela.training.supervision import train

FOLLOWUP = Followup(np.array([100.0, 800.0, 800.0, 100.0, 100.0]), np.array([1, 1, 0, 0, 2]))


def test_an_outcome_is_known_once_the_horizon_is_reached() -> None:
    happened, known = outcomes(FOLLOWUP, 1, 365.0)
    assert happened.tolist() == [True, False, False, False, False]
    assert known.tolist() == [True, True, True, False, True]


def test_without_a_horizon_whoever_was_seen_with_it_has_it() -> None:
    happened, known = outcomes(FOLLOWUP, 1, None)
    assert happened.tolist() == [True, True, False, False, False]
    assert known.all()


def test_outcomes_in_words() -> None:
    words = [in_words(FOLLOWUP, row, 1, "recurrence") for row in (0, 2, 4)]
    assert words == [
        "Recurrence 0.3 years after the landmark",
        "Free of recurrence until 2.2 years after the landmark",
        "Another event 0.3 years after the landmark",
    ]
    assert [within(1826.0), within(None)] == [" within 5 years", ""]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A cohort of notes alone, with a trained ST-R and a baseline."""
    folder = tmp_path_factory.mktemp("walk") / "cohort"
    simulate(SimulationSettings(patients=40, images=False, languages=("en",)), folder)
    settings = {
        "text": {"tokens": 64, "tiny": {"dim": 8, "layers": 1, "heads": 1, "vocabulary": 400}},
        "model": {"image": None, "cross_modal": (), "dim": 8, "heads": 2}
        | {"pretrained_alignment": False},
        "train": {"epochs": 1},
        "explain": {"patients": 3},
    }
    project = Project.open(folder, configuration=validated(Configuration, settings, where="test"))
    prepare(project)
    train(project, "st-r", Fold())
    train_baseline(project, "kaplan-meier", Fold())
    return project


def test_notes_of_synthetic_patients_are_shown_and_nobody_is_named(project: Project) -> None:
    folder = explain(Run(project.work / "runs" / "st-r"), project)
    assert broken_seals(folder) == ()
    text = (folder / "explanations.json").read_text()
    found = json.loads(text)
    assert [patient["label"] for patient in found["patients"]] == [
        f"Patient {number}" for number in (1, 2, 3)
    ]
    notes = [exam for patient in found["patients"] for exam in patient["exams"]]
    assert any(any(weight for _, weight in note["tokens"]) for note in notes)
    assert not [
        patient.patient_id for patient in project.cohort.patients if patient.patient_id in text
    ]
    assert not list(folder.glob("*.png"))
    assert furthest_off(found)["words"] < 1e-3
    assert all(patient["risks"][-1]["risk"] == patient["risk"] for patient in found["patients"])
    assert found["parts"] == {}  # st-r joins nothing


def test_how_far_sums_are_off_is_the_worst_of_the_patients() -> None:
    words = {"score": 1.0, "baseline": 0.0, "sum": 0.5}
    parts = {"score": 1.0, "baseline": 0.5, "weights": [["image@2", 0.25], ["varying", 0.25]]}
    found = furthest_off(
        {"patients": [{"words": {}, "parts": parts}, {"words": words, "parts": {}}]}
    )
    assert found == {"parts": 0.0, "words": 0.5}


def test_the_report_shows_them(project: Project, tmp_path: Path) -> None:
    explain(Run(project.work / "runs" / "st-r"), project)
    (project.work / "evaluation.json").write_text('{"models": []}')
    page = write_report(project.work, tmp_path / "report.html").read_text()
    assert "Patient 3" in page
    assert '<mark class="' in page
    assert "Synthetic data" in page


def test_notes_are_kept_back_where_they_must_be(project: Project) -> None:
    folder = explain(Run(project.work / "runs" / "st-r"), project, show_texts=False)
    found = json.loads((folder / "explanations.json").read_text())
    exams = [exam for patient in found["patients"] for exam in patient["exams"]]
    assert {exam["text"] for exam in exams} == {""}
    assert any(exam["withheld"] for exam in exams)


def test_a_baseline_looks_at_nothing(project: Project) -> None:
    with pytest.raises(DataError, match="baseline"):
        explain(Run(project.work / "runs" / "kaplan-meier"), project)


def test_an_unfinished_run_says_what_to_do(project: Project) -> None:
    with pytest.raises(DataError, match="not finished"):
        explain(Run(project.work / "runs" / "lumin"), project)
