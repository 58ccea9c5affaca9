"""A study: what its file may ask, and that its runs are made once, whatever happens between."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from tiny_runs import TINY

from sequela.errors import DataError, UsageError
from sequela.evaluation.predictions import Predictions
from sequela.training import study_runs
from sequela.training.project import Project
from sequela.training.run import Run
from sequela.training.study import Study, aligning_project, read_study
from sequela.training.study_plan import plan_study
from sequela.training.study_removals import removals
from sequela.training.study_runs import collect, run_study

ENTRIES = (
    "kaplan-meier",
    "st-r",
    "lumin-m",
    "lumin-m-without-text",
    {"variant": "lumin-m", "name": "other-gate", "settings": ["model.gate=cohort-individual"]},
)


def written(project: Project, folder: Path, **values: object) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    evaluation = {"bootstraps": 20, "curve_bootstraps": 0}
    settings = {**TINY, "evaluation": evaluation, "train": {**TINY["train"], "epochs": 1}}
    asked = {"cohort": str(project.cohort.folder), "settings": settings, "entries": list(ENTRIES)}
    file = folder / "study.yaml"
    file.write_text(yaml.safe_dump({**asked, "name": folder.name, **values}), encoding="utf-8")
    return file


def in_this_process(
    work: Callable[[Any, Callable[[int], None]], Any], tasks: Sequence[Any], **_: object
) -> list[Any]:
    return [work(task, lambda _: None) for task in tasks]


@pytest.fixture(autouse=True)
def _one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study_runs, "side_by_side", in_this_process)


@pytest.fixture(scope="module")
def made(prepared: Project, tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A study of two seeds, all of it run."""
    study = read_study(written(prepared, tmp_path_factory.mktemp("made"), seeds=[0, 1]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(study_runs, "side_by_side", in_this_process)
        assert run_study(study) == []
        collect(study)
    return study


def hashes(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.endswith(".lock")
    }


def test_every_entry_is_run_with_every_seed_on_the_same_rows(made: Study) -> None:
    table = Predictions.read(made.folder / "predictions.parquet").table
    rows = {
        key: set(part.select("patient_id", "landmark", "split").iter_rows())
        for key, part in table.group_by("variant", "seed", "fold", "repeat")
    }
    assert set(rows) == {(label, seed, 0, 0) for label in made.labels for seed in (0, 1)}
    assert all(found == rows["st-r", 0, 0, 0] for found in rows.values())


def test_seeds_differ_and_baselines_do_not(made: Study) -> None:
    table = Predictions.read(made.folder / "predictions.parquet").table
    risks = {key: part["risk"].to_list() for key, part in table.group_by("variant", "seed")}
    assert risks["st-r", 0] != risks["st-r", 1]
    assert risks["kaplan-meier", 0] == risks["kaplan-meier", 1]
    assert risks["lumin-m", 0] != risks["other-gate", 0]


def test_a_second_invocation_changes_no_byte(made: Study) -> None:
    before = hashes(made.folder)
    assert run_study(made) == []
    collect(made)
    assert hashes(made.folder) == before


def test_a_run_that_was_lost_is_made_again_alike(made: Study) -> None:
    before = hashes(made.folder)
    run = Run(made.folder / "runs" / "st-r-seed1")
    for path in (run.checkpoint, run.predictions):
        path.unlink()
    assert run_study(made) == []
    collect(made)
    names = ("predictions.parquet", "runs/st-r-seed1/predictions.parquet")
    assert {name: hashes(made.folder)[name] for name in names} == {n: before[n] for n in names}


def test_entries_that_agree_in_what_alignment_reads_share_one(made: Study) -> None:
    folders = {
        member.label: aligning_project(made, member).names["pretrain"]
        for member in made.members
        if member.seed == 0
    }
    assert folders["lumin-m"] == folders["other-gate"]
    assert len(list((made.folder / "runs").glob("aligned-*"))) == 2  # one a seed


def test_a_part_is_also_taken_out_of_the_trained_model(made: Study) -> None:
    (found,) = removals(made)
    assert (found["model"], found["part"]) == ("lumin-m", "text")
    assert 0 <= found["auc"]["value"] <= 1


def test_a_plan_counts_what_is_left(made: Study) -> None:
    plan = plan_study(made)
    assert (plan.runs, plan.finished, plan.entries, plan.seconds) == (10, 10, (), 0)


def test_a_plan_writes_nothing(prepared: Project, tmp_path: Path) -> None:
    study = read_study(written(prepared, tmp_path / "planned", entries=["st-r", "cox-clinical"]))
    plan = plan_study(study)
    assert (plan.runs, plan.finished) == (2, 0)
    assert plan.seconds is not None
    assert plan.seconds > 0
    assert not study.folder.exists()


def test_a_failed_run_leaves_the_others_alone(
    prepared: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = read_study(written(prepared, tmp_path / "failed", entries=["st-r", "cox-clinical"]))
    train_one = study_runs.train_one

    def fail(project: Project, name: str, *args: Any, **more: Any) -> Run:
        if name == "st-r":
            raise DataError("it cannot be trained", hint="mend it")
        return train_one(project, name, *args, **more)

    monkeypatch.setattr(study_runs, "train_one", fail)
    (failed,) = run_study(study)
    assert (failed.name, failed.message) == ("st-r-seed0", "it cannot be trained")
    assert set(collect(study).table["variant"]) == {"cox-clinical"}


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        (["st-r", "st-r"], "more than once"),
        (["no-such"], "no-such"),
        ([{"variant": "st-r", "settings": ["split.folds=2"]}], "model and its fitting"),
        ([{"variant": "st-r", "settings": {"train": {"seed": 4}}}], "model and its fitting"),
        ([{"variant": "st-r", "name": "../out"}], "cannot be used"),
        ([], "cannot be used"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    prepared: Project, tmp_path: Path, entries: list[object], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        read_study(written(prepared, tmp_path, entries=entries))


def test_settings_may_be_lines_or_sections(prepared: Project, tmp_path: Path) -> None:
    lines = ["train.epochs=3", "model.gate=cohort-individual"]
    sections = {"train": {"epochs": 3}, "model": {"gate": "cohort-individual"}}
    found = [
        read_study(written(prepared, tmp_path, settings=settings)).project.configuration
        for settings in (lines, sections)
    ]
    assert found[0] == found[1]
    assert found[0].train.epochs == 3
