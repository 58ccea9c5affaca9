"""The same weights, bit for bit, whatever changes no question: workers, stops, place, row order."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tiny_runs import tiny_configuration

from sequela.cohort.protocol import ProtocolSettings
from sequela.cohort.splits import SplitSettings
from sequela.errors import InterruptedRunError
from sequela.models.kemm_config import KemmConfig
from sequela.simulation.tumour_cohort import simulate_tumours
from sequela.simulation.tumours import TumourSettings
from sequela.storage import fingerprint
from sequela.training.checkpoint import read_tensors
from sequela.training.configuration import Configuration
from sequela.training.fitting import MachineSettings, TrainSettings
from sequela.training.prediction import predict
from sequela.training.preparation import prepare
from sequela.training.pretraining import pretrain
from sequela.training.project import Fold, Project
from sequela.training.run import Run
from sequela.training.supervision import train


def shuffled(folder: Path) -> None:
    """The rows of every table in another order."""
    for path in folder.iterdir():
        if path.suffix == ".csv":
            head, *rows = path.read_text(encoding="utf-8").splitlines(keepends=True)
            table = pl.read_csv(path, infer_schema=False)
            if len(table) == len(rows):  # no field with a line break in it
                path.write_text(head + "".join(np.random.default_rng(0).permutation(rows)))
            else:
                table.sample(fraction=1.0, shuffle=True, seed=0).write_csv(path)
        elif path.suffix == ".parquet":
            table = pl.read_parquet(path)
            table.sample(fraction=1.0, shuffle=True, seed=0).write_parquet(path)


def stopped_and_resumed(step: Callable[[Callable[[int], None]], Run]) -> Run:
    """A run that was asked to stop after its first epoch, and gone on with."""

    def stop(epochs: int) -> None:
        if epochs:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(InterruptedRunError):
        step(stop)
    return step(lambda _: None)


def weights(run: Run) -> str:
    tensors, _ = read_tensors(run.checkpoint)
    return fingerprint(*(tensors[name].numpy().tobytes() for name in sorted(tensors)))


def moved(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cohort in another place with its rows in another order, by a relative path."""
    monkeypatch.chdir(tmp_path)
    leave = shutil.ignore_patterns("work*")
    folder = Path(shutil.copytree(project.cohort.folder, "other", ignore=leave))
    shuffled(folder)
    return folder


def test_images_and_notes(
    trained: Project,
    run_of: Callable[[str], Run],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = moved(trained, tmp_path, monkeypatch)
    machine = {"threads": 1, "device": "cpu", "workers": 1}
    project = Project.open(folder, Path("made"), tiny_configuration(machine=machine))
    prepare(project)
    aligned = stopped_and_resumed(lambda advance: pretrain(project, Fold(), advance))
    assert weights(aligned) == weights(run_of("pretrain"))
    run = stopped_and_resumed(lambda advance: train(project, "lumin", Fold(), advance))
    assert weights(run) == weights(run_of("lumin"))
    assert run.identity() == run_of("lumin").identity()
    ours, theirs = (predict(one, trained).table for one in (run, run_of("lumin")))
    assert ours.equals(theirs)


def test_a_run_says_of_what_and_on_what_it_was_made(
    run_of: Callable[[str], Run], kemm: Project
) -> None:
    lumin, of_patients = run_of("lumin"), Run(kemm.run_folder("kemm", Fold()))
    for run, names in (
        (lumin, {"cohort", "splits", "pixels", "images", "tokenizer", "alignment"}),
        (of_patients, {"cohort", "splits", "knowledge"}),
    ):
        told = {name: value for name, value in run.identity().items() if name in names}
        assert told.keys() == names
        told["initial_weights"] = run.metadata()["initial_weights"]
        assert all(re.fullmatch("[0-9a-f]{64}", value) for value in told.values())
        (environment,) = json.loads((run.folder / "versions.json").read_text())["environments"]
        assert re.fullmatch("[0-9a-f]{64}", environment["code"])
        assert environment["threads"] == 1
        assert {"torch", "timm", "transformers", "polars"} <= environment["packages"].keys()
    slides = of_patients.identity()["slides"]
    assert (slides["encoder"], len(slides["index"])) == ("simulated", 64)


def tumours(machine: MachineSettings) -> Configuration:
    return Configuration(
        protocol=ProtocolSettings(name="cross-validation", endpoint="os", horizon=None),
        split=SplitSettings(test=0.25, validation=0.25),
        model=KemmConfig(dim=8, heads=2, reads=("slide", "genes", "report", "clinical")),
        train=TrainSettings(epochs=2, batch=16),
        machine=machine,
    )


@pytest.fixture(scope="module")
def kemm(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A cohort with slides, genes and reports, and KEMM trained on it."""
    folder = tmp_path_factory.mktemp("tumours") / "cohort"
    vectors = np.random.default_rng(0).normal(size=(2, 2, 8))
    signatures = dict(zip(("KIRC", "LUAD"), vectors, strict=True))
    simulate_tumours(TumourSettings(patients=48, patches=6), signatures, folder)
    machine = MachineSettings(device="cpu", threads=1, workers=0)
    project = Project.open(folder, configuration=tumours(machine))
    prepare(project)
    train(project, "kemm", Fold())
    return project


def test_slides_genes_and_reports(
    kemm: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = moved(kemm, tmp_path, monkeypatch)
    machine = MachineSettings(device="cpu", threads=1, workers=2)
    project = Project.open(folder, Path("made"), tumours(machine))
    prepare(project)
    run = stopped_and_resumed(lambda advance: train(project, "kemm", Fold(), advance))
    before = Run(kemm.run_folder("kemm", Fold()))
    assert weights(run) == weights(before)
    assert run.identity() == before.identity()
    assert predict(run, project).table.equals(predict(before, kemm).table)
