"""From a cohort folder to predictions, with real files and the smallest models."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny_runs import simulated, tiny_configuration

from sequela.cli.main import main as command_line
from sequela.errors import DataError, LockedError, UsageError
from sequela.evaluation.predictions import Predictions
from sequela.seal import unseal
from sequela.training import preparation
from sequela.training.checkpoint import read_tensors, write_tensors
from sequela.training.collection import collect_predictions
from sequela.training.inputs import Sources
from sequela.training.planning import plan_pretraining, plan_training
from sequela.training.prediction import answers, load_trained, predict
from sequela.training.preparation import prepare, training_texts
from sequela.training.pretraining import aligning, pretrain
from sequela.training.project import Fold, Project
from sequela.training.run import Run
from sequela.training.stages import predict_all, predict_external, train_all
from sequela.training.supervision import train, training

RunOf = Callable[[str], Run]


def linked(project: Project, work: Path, **sections: object) -> Project:
    """The same cohort, prepared alike, in a work folder without runs."""
    for name in ("splits.csv", "splits.json", "prepared", "text-encoder"):
        (work / name).symlink_to(project.work / name)
    return Project.open(project.cohort.folder, work, tiny_configuration(**sections))


def texts_of(project: Project, part: str) -> set[str]:
    patients = [project.cohort.patient(name) for name in project.patients(part, Fold())]
    exams = [exam for patient in patients for exam in patient.exams]
    return {text.text for exam in exams for text in exam.texts}


def test_all_runs_predict_the_same_patients_of_their_fold(trained: Project) -> None:
    table = Predictions.read(trained.work / "predictions.parquet").table
    parts = trained.splits.of()
    assert set(table["variant"]) == {"lumin", "st-r", "cox-clinical"}
    assert all(parts[p] == s for p, s in table.select("patient_id", "split").iter_rows())
    assert set(table["split"]) == {"validation", "test"}
    rows = [set(part["patient_id"]) for (_,), part in table.group_by("variant")]
    assert rows[0] == rows[1] == rows[2]
    assert table["risk"].is_finite().all()


def test_predictions_say_where_they_come_from(trained: Project, run_of: RunOf) -> None:
    found = Predictions.read(run_of("lumin").predictions).provenance
    assert found.epoch_chosen_on == "validation"
    assert found.cohort == trained.cohort.fingerprint
    assert found.splits == trained.splits.fingerprint
    assert found.synthetic
    assert Predictions.read(run_of("cox-clinical").predictions).provenance.epoch_chosen_on == "none"


def test_the_log_has_an_epoch_a_line_and_says_how_long_was_waited(run_of: RunOf) -> None:
    lines = (run_of("lumin").folder / "log.jsonl").read_text().splitlines()
    epochs = [json.loads(line) for line in lines]
    assert [epoch["epoch"] for epoch in epochs] == [1, 2]
    for epoch in epochs:
        assert 0 < epoch["compute_seconds"] <= epoch["seconds"]
        assert {"loss", "median_risk"} <= set(epoch["validation"])
        assert set(epoch["rates"]) == {"image", "text", "new"}


def test_the_kept_epoch_is_the_best_on_validation(run_of: RunOf) -> None:
    run = run_of("lumin")
    lines = (run.folder / "log.jsonl").read_text().splitlines()
    losses = [json.loads(line)["validation"]["loss"] for line in lines]
    assert run.metadata()["epoch"] == 1 + int(np.argmin(losses))
    assert run.metadata()["validation"]["loss"] == min(losses)


def test_a_finished_run_is_not_trained_again(trained: Project, run_of: RunOf) -> None:
    before = run_of("lumin").checkpoint.read_bytes()
    stamp = run_of("lumin").checkpoint.stat().st_mtime_ns
    train(trained, "lumin", Fold())
    assert run_of("lumin").checkpoint.read_bytes() == before
    assert run_of("lumin").checkpoint.stat().st_mtime_ns == stamp


def test_training_again_elsewhere_gives_the_same_weights(
    trained: Project, run_of: RunOf, tmp_path: Path
) -> None:
    again = linked(trained, tmp_path, machine={"threads": 1, "device": "cpu", "workers": 2})
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "pretrain").symlink_to(run_of("pretrain").folder)
    run = train(again, "lumin", Fold())
    one, other = (read_tensors(found.checkpoint)[0] for found in (run, run_of("lumin")))
    assert all((one[name] == other[name]).all() for name in one)


def test_a_run_starts_from_the_aligned_encoders(trained: Project, run_of: RunOf) -> None:
    aligned = read_tensors(run_of("pretrain").checkpoint)[0]
    start = training(trained, "lumin", Fold()).task.model.state_dict()
    shared = [name for name in start if name.startswith(("image.", "text."))]
    assert shared
    assert all((start[name] == aligned[name]).all() for name in shared)


def test_a_run_whose_alignment_is_missing_is_refused(trained: Project, tmp_path: Path) -> None:
    elsewhere = linked(trained, tmp_path)
    with pytest.raises(DataError, match="alignment is not finished"):
        training(elsewhere, "lumin", Fold())


def test_alignment_sees_training_patients_alone(prepared: Project) -> None:
    task = aligning(prepared, Fold()).task
    train_patients = prepared.patients("train", Fold())
    rows = np.concatenate(task.objective.training_batches(0))
    assert {task.inputs.patients[row] for row in rows} <= train_patients  # type: ignore[attr-defined]
    assert len(rows)


def test_alignment_sees_no_exam_after_the_outcome(prepared: Project) -> None:
    outcomes = prepared.cohort.outcomes.filter(endpoint="recurrence")
    end = dict(outcomes.select("patient_id", "time").iter_rows())
    pairs = aligning(prepared, Fold()).task.inputs.pairs  # type: ignore[attr-defined]
    assert all(pair.landmark < end[pair.patient_id] for pair in pairs)


def test_the_tiny_tokenizer_reads_training_patients_alone(
    prepared: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preparation, "only_words", lambda text, _: text)
    texts = set(training_texts(prepared, Fold()))
    assert texts
    assert not texts & (texts_of(prepared, "test") - texts_of(prepared, "train"))


def test_other_pixels_are_refused(trained: Project, run_of: RunOf, tmp_path: Path) -> None:
    shutil.copytree(run_of("lumin").folder, tmp_path / "lumin")
    run = Run(tmp_path / "lumin")
    tensors, metadata = read_tensors(run.checkpoint)
    write_tensors(run.checkpoint, tensors, {**metadata, "pixels": "0" * 64})
    with pytest.raises(LockedError, match="pixel policy"):
        predict(run, trained)
    write_tensors(run.checkpoint, tensors, {**metadata, "tokenizer": "0" * 64})
    with pytest.raises(LockedError, match="tokenizer"):
        predict(run, trained)


def test_another_pixel_policy_than_the_prepared_one_is_refused(trained: Project) -> None:
    other = replace(trained, configuration=tiny_configuration(images={"size": 48}))
    with pytest.raises(LockedError, match="another pixel policy"):
        training(other, "lumin", Fold())


def test_a_cohort_without_images_does_without_them_or_is_told_so(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = simulated(tmp_path_factory.mktemp("texts") / "sim", 28, 4, images=False)
    project = Project.open(folder, configuration=tiny_configuration(head={"kind": "cox"}))
    prepare(project)
    (run,) = train_all(project, ["lumin"])
    assert run.metadata()["head"]["hazard"]["times"], "Breslow's baseline of the kept weights"
    assert run.metadata()["model"]["image"] is None
    assert run.metadata()["alignment"] is None
    assert predict(run, project).table["risk"].is_finite().all()
    with pytest.raises(UsageError, match="st-i reads images") as caught:
        training(project, "st-i", Fold())
    assert "st-r" in caught.value.hint
    with pytest.raises(UsageError, match="pre-training reads image and text"):
        pretrain(project, Fold())


def test_a_part_taken_away_gives_rows_of_a_variant_of_its_own(
    trained: Project, run_of: Callable[[str], Run]
) -> None:
    run = run_of("lumin")
    whole = predict(run, trained)
    less = predict(run, trained, without="varying")
    assert less.table["variant"].unique().to_list() == ["lumin minus varying (at inference)"]
    keys = ["patient_id", "landmark", "split", "time"]
    assert less.table.select(keys).equals(whole.table.select(keys))
    assert not less.table["risk"].equals(whole.table["risk"])
    assert predict(run, trained).table["risk"].equals(whole.table["risk"])
    file = run.predictions_without("varying")
    assert file.exists()
    file.unlink()
    unseal(run.folder, file.name)
    with pytest.raises(UsageError, match="no finished run has a part voice"):
        predict_all(trained, without=("voice",))


def test_an_unknown_variant_is_refused_before_anything_is_trained(prepared: Project) -> None:
    with pytest.raises(UsageError, match="lumin-x"):
        train_all(prepared, ["kaplan-meier", "lumin-x"])
    assert not (prepared.work / "runs" / "kaplan-meier").exists()


def test_a_plan_says_how_much_and_leaves_no_trace(prepared: Project) -> None:
    before = set(prepared.work.rglob("*"))
    (aligned,) = plan_pretraining(prepared)
    assert aligned.finished or aligned.seconds > 0
    (text,) = plan_training(prepared, ["resnet50"])
    assert text.training + text.validation > 0
    assert text.seconds > 0
    assert text.parameters > 1000
    assert "training and" in str(text)
    assert set(prepared.work.rglob("*")) == before


def test_another_cohort_is_predicted_as_external(
    trained: Project, run_of: RunOf, tmp_path: Path
) -> None:
    folder = simulated(tmp_path / "other", 8, 9, images=False)
    project = Project.open(folder, configuration=tiny_configuration())
    prepare(project, divide=False)
    run = run_of("st-r").folder
    table = predict_external(project, run).table
    assert set(table["split"]) == {"external"}
    assert len(table) == len(project.selection.cases)
    assert (project.work / "predictions.parquet").exists()
    other = Project.open(folder, configuration=tiny_configuration(protocol={"horizon": 900.0}))
    with pytest.raises(UsageError, match="another protocol") as caught:
        predict_external(other, run)
    assert any("horizon" in item for item in caught.value.items)
    with pytest.raises(SystemExit, match="2"):
        command_line(["predict", str(folder), "protocol.horizon=900", "--run", str(run)])


def test_runs_that_answer_other_questions_are_not_collected(
    trained: Project, run_of: RunOf, tmp_path: Path
) -> None:
    one = Predictions.read(run_of("st-r").predictions)
    for name, horizon in (("a", 1826.0), ("b", 900.0)):
        changed = replace(one, provenance=one.provenance.evolve(horizon=horizon))
        changed.write(tmp_path / "runs" / name / "predictions.parquet")
    with pytest.raises(DataError, match=r"runs a and b .* horizon differ"):
        collect_predictions(tmp_path)


def test_a_patient_predicted_alone_has_the_same_risk(trained: Project, run_of: RunOf) -> None:

    model = load_trained(run_of("lumin"))
    sources = Sources(trained.store, model.tokenizer, model.text)
    cases = trained.selection.cases[:5]
    machine = trained.configuration.machine
    together = answers(model, cases, sources, machine).risk
    alone = np.concatenate([answers(model, [case], sources, machine).risk for case in cases])
    np.testing.assert_allclose(alone, together, rtol=1e-5)
