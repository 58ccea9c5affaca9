"""A cohort of slides given as features, from prepare to predictions; other features are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
import yaml

from sequela.cohort.protocol import ProtocolSettings
from sequela.cohort.splits import SplitSettings
from sequela.encoders import slide_features
from sequela.encoders.slide_encoding import SlideSettings
from sequela.errors import DataError, LockedError
from sequela.modalities.feature_file import SlideFeatures, write_features
from sequela.models.kemm_config import KemmConfig
from sequela.traces import traces
from sequela.training.configuration import Configuration
from sequela.training.fitting import MachineSettings, TrainSettings
from sequela.training.patient_sources import fitted_sources
from sequela.training.prediction import predict
from sequela.training.preparation import prepare
from sequela.training.project import Fold, Project
from sequela.training.purging import purge
from sequela.training.supervision import train

CONFIGURATION = Configuration(
    protocol=ProtocolSettings(name="cross-validation", endpoint="os", horizon=None),
    split=SplitSettings(test=0.25, validation=0.2),
    model=KemmConfig(dim=8, heads=2, hidden=4, components=3),
    slides=SlideSettings(most=4),
    train=TrainSettings(epochs=1, batch=16),
    machine=MachineSettings(device="cpu", jobs=1, threads=1, workers=0),
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, each_here: object) -> Path:
    """40 patients; every fifth has no slide, every third two."""
    monkeypatch.setattr(slide_features, "each", each_here)
    random = np.random.default_rng(3)
    ids = [f"P{number:02}" for number in range(40)]
    pl.DataFrame({"patient_id": ids}).write_csv(tmp_path / "patients.csv")
    time = random.exponential(500, 40) + 1
    outcomes = {"endpoint": "os", "time": time, "event": random.integers(0, 2, 40)}
    pl.DataFrame({"patient_id": ids, **outcomes}).write_csv(tmp_path / "outcomes.csv")
    rows = []
    for number, patient in enumerate(ids):
        for rank in range(0 if number % 5 == 0 else 1 + (number % 3 == 0)):
            name = f"{patient}-{rank}.safetensors"
            features = random.normal(size=(3 + number % 7, 6)).astype(np.float32)
            write_features(tmp_path / name, SlideFeatures(features, None))
            rows.append({"slide_id": name[:5], "patient_id": patient, "features": name})
    pl.DataFrame(rows).write_csv(tmp_path / "slides.csv")
    tables = {name: {"file": f"{name}.csv"} for name in ("patients", "outcomes", "slides")}
    manifest = {"name": "slides", "endpoints": {"os": {}}, "tables": tables}
    (tmp_path / "cohort.yaml").write_text(yaml.safe_dump(manifest))
    return tmp_path


def test_prepared_slides_fill_the_batch_train_and_predict(folder: Path) -> None:
    project = Project.open(folder, configuration=CONFIGURATION)
    with pytest.raises(DataError, match="not prepared"):
        fitted_sources(project, ["P00"])
    made = prepare(project).slides
    assert made is not None
    assert (made.slides, made.failed) == (len(pl.read_csv(folder / "slides.csv")), {})
    patients = [case.patient_id for case in project.selection.cases]
    sources = fitted_sources(project, patients)
    config = sources.resolved(CONFIGURATION.model)
    batch = sources.inputs(patients, config).batch(np.arange(len(patients)))
    assert batch.patches is not None
    assert batch.patch_mask is not None
    counts = {name: int(n) for name, n in zip(patients, batch.patch_mask.sum(1), strict=True)}
    assert (counts["P00"], counts["P01"], counts["P03"]) == (0, 4, 12)
    assert batch.patches.shape[2] == 6

    run = train(project, "slide-only", Fold())
    assert run.metadata()["slides"]["width"] == 6
    risk = predict(run, project).table["risk"]
    assert risk.is_finite().all()
    other = pl.read_parquet(project.work / "slides" / "slides.parquet")
    other = other.with_columns(patches=pl.col("patches") + 1)
    other.write_parquet(project.work / "slides" / "slides.parquet")
    run.predictions.unlink(missing_ok=True)
    with pytest.raises(LockedError, match="not those that the model was trained with"):
        predict(run, Project.open(folder, configuration=CONFIGURATION))


def test_a_purged_patient_leaves_no_slide(folder: Path) -> None:
    long = {"patient_id": pl.col("patient_id") + "-CANARY-4711"}
    for name in ("patients", "outcomes", "slides"):
        table = pl.read_csv(folder / f"{name}.csv").with_columns(**long)
        if name == "slides":
            table = table.with_columns(slide_id=pl.col("slide_id") + "-SLIDE-4711")
        table.write_csv(folder / f"{name}.csv")
    project = Project.open(folder, configuration=CONFIGURATION)
    prepare(project)
    names = ["P03-CANARY-4711", "P03-0-SLIDE-4711", "P03-1-SLIDE-4711"]
    found = {Path(name).name for name, _ in traces(folder, names)}
    assert found >= {"slides.csv", "slides.parquet", "splits.csv"}
    purged = purge(folder, project.work, names[0])
    assert (purged.left, purged.short) == ((), 0)
    assert purged.rows["slides.csv"] == 2
    assert list(traces(folder, names)) == []
    assert not list(folder.glob("P03*"))
    assert len(pl.read_csv(folder / "patients.csv")) == 39


def test_no_name_of_a_slides_file_is_in_what_is_made(folder: Path) -> None:
    table = pl.read_csv(folder / "slides.csv")
    for row in table.iter_rows(named=True):
        (folder / row["features"]).rename(folder / f"Canaryname {row['features']}")
    table.with_columns(features="Canaryname " + pl.col("features")).write_csv(folder / "slides.csv")
    project = Project.open(folder, configuration=CONFIGURATION)
    prepare(project)
    predict(train(project, "slide-only", Fold()), project)
    assert list(traces(folder, ["Canaryname"]))
    assert list(traces(project.work, ["Canaryname"])) == []
