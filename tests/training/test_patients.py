"""A cohort seen once, from its tables to predictions; what may not be looked at is not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
import yaml
from torch import Tensor

from sequela.cohort.protocol import ProtocolSettings
from sequela.cohort.splits import SplitSettings
from sequela.errors import DataError, LockedError, UsageError
from sequela.knowledge.frozen import FrozenKnowledge
from sequela.models.kemm_config import KemmConfig
from sequela.models.peer_config import PeerConfig
from sequela.training import supervision
from sequela.training.configuration import Configuration
from sequela.training.fitting import MachineSettings, TrainSettings
from sequela.training.loop import fit
from sequela.training.patient_data import PatientSources
from sequela.training.patient_sources import fitted_sources, kept_sources
from sequela.training.prediction import load_trained, predict
from sequela.training.preparation import prepare
from sequela.training.project import Fold, Project
from sequela.training.stages import train_all

GENES = [f"G{number:02}" for number in range(12)]
REPORT = "Clear cell renal cell carcinoma of the left kidney, Fuhrman grade {grade}. pT{t}a N0 MX."
CONFIGURATION = Configuration(
    protocol=ProtocolSettings(name="cross-validation", endpoint="os", horizon=None),
    split=SplitSettings(test=0.25, validation=0.2),
    model=KemmConfig(dim=8, heads=2, hidden=4, components=3),
    train=TrainSettings(epochs=2, batch=16),
    machine=MachineSettings(device="cpu", jobs=1, threads=1, workers=0),
)


def write_cohort(folder: Path, patients: int = 60) -> Path:
    """Expression, reports and covariates; the first gene and the grade raise the hazard."""
    random = np.random.default_rng(5)
    folder.mkdir()
    ids = [f"P{number:02}" for number in range(patients)]
    genes = random.normal(size=(patients, len(GENES)))
    grade = random.integers(2, 4, patients)
    time = random.exponential(900 / np.exp(genes[:, 0] + 0.5 * grade)) + 1
    censored = random.exponential(800, patients) + 1
    pl.DataFrame(
        {"patient_id": ids, "cancer_type": "KIRC", "age": random.normal(60, 9, patients)}
    ).write_csv(folder / "patients.csv")
    pl.DataFrame(
        {
            "patient_id": ids,
            "endpoint": "os",
            "time": np.minimum(time, censored),
            "event": (time <= censored).astype(int),
        }
    ).write_csv(folder / "outcomes.csv")
    told = [i for i in range(patients) if i % 6]
    pl.DataFrame(
        {
            "text_id": [f"T{i}" for i in told],
            "patient_id": [ids[i] for i in told],
            "text": [REPORT.format(grade=grade[i], t=grade[i]) for i in told],
        }
    ).write_csv(folder / "texts.csv")
    table = pl.DataFrame({"patient_id": ids} | dict(zip(GENES, genes.T, strict=True)))
    table[:-4].write_parquet(folder / "expression.parquet")
    sets = {"A": GENES[:5], "B": GENES[3:], "C": ["X"]}
    lines = ("\t".join((name, "na", *members)) for name, members in sets.items())
    (folder / "sets.gmt").write_text("\n".join(lines))
    manifest = {
        "name": "once",
        "synthetic": True,
        "endpoints": {"os": {}},
        "clinical": {"age": {"kind": "numeric"}},
        "tables": {
            "patients": {"file": "patients.csv"},
            "outcomes": {"file": "outcomes.csv"},
            "texts": {"file": "texts.csv", "constants": {"day": 0, "kind": "report"}},
            "expression": {"file": "expression.parquet", "unit": "z"},
            "gene_sets": {"file": "sets.gmt"},
        },
    }
    (folder / "cohort.yaml").write_text(yaml.safe_dump(manifest))
    return folder


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    folder = write_cohort(tmp_path_factory.mktemp("cohorts") / "once")
    project = Project.open(folder, configuration=CONFIGURATION)
    prepare(project)
    return project


def test_kemm_and_its_rivals_are_trained_and_predict_in_one_table(project: Project) -> None:
    names = ("kemm", "shuffled-reports", "kemm-late-concat", "cox-clinical", "cox-expression")
    names += ("snn", "text-only", "coxnet", "boosting-expression")
    for run in train_all(project, names):
        table = predict(run, project).table
        assert table["risk"].is_finite().all()
        assert set(table["split"]) == {"validation", "test"}
        assert (table.select(pl.selectors.starts_with("survival")).to_numpy() <= 1).all()


def test_a_rival_of_slides_is_refused_where_there_are_none(project: Project) -> None:
    with pytest.raises(UsageError, match="variant mcat reads slide features"):
        train_all(project, ("mcat",))


@dataclass(frozen=True)
class Bags:
    """Patches about two centres, fewer or more a patient; the last patient has none."""

    width: int = 6

    def bag(self, patient_id: str) -> Tensor:
        row = int(patient_id[1:])
        random = torch.Generator().manual_seed(row)
        count = 0 if row == 59 else 3 + row % 5
        centres = 5 * torch.eye(2, 6)[torch.arange(count) % 2]
        return centres + torch.randn(count, 6, generator=random)


@pytest.mark.parametrize("name", ["mmp", "cmta", "clam"])
def test_a_rival_of_slides_is_trained_by_the_same_loop(
    project: Project, name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def with_bags(project: Project, patients: Sequence[str]) -> PatientSources:
        return replace(fitted_sources(project, patients), bags=Bags())

    monkeypatch.setattr(supervision, "fitted_sources", with_bags)
    config = PeerConfig(design="mmp", dim=8, hidden=4, heads=2, prototypes=2)
    asked = replace(project, configuration=project.configuration.evolve(model=config))
    prepared = supervision.training(asked, name, Fold())
    start = {key: value.clone() for key, value in prepared.task.model.state_dict().items()}
    fit(prepared.task, tmp_path / "state", lambda *_: None, lambda _: None)
    after = prepared.task.model.state_dict()
    assert any(not torch.equal(value, after[key]) for key, value in start.items())
    assert all(value.isfinite().all() for value in after.values())
    if name == "mmp":
        found = start["prototypes"]
        assert torch.cdist(found, 5 * torch.eye(2, 6)).amin(dim=1).max() < 0.6
        assert torch.equal(after["prototypes"], found)


def test_a_second_prediction_is_the_first(project: Project) -> None:
    (run,) = train_all(project, ("kemm",))
    assert predict(run, project).table.equals(predict(run, project).table)


def test_only_training_patients_are_looked_at(project: Project, tmp_path: Path) -> None:
    names = sorted(project.patients("train", Fold()))
    before = fitted_sources(project, names).scalers
    other = write_cohort(tmp_path / "once")
    for file, columns in (("patients.csv", ["age"]), ("expression.parquet", GENES)):
        read, write = (pl.read_csv, "write_csv")
        if file.endswith("parquet"):
            read, write = (pl.read_parquet, "write_parquet")
        table = read(other / file)
        tested = ~pl.col("patient_id").is_in(names)
        moved = [
            pl.when(tested).then(pl.col(c) + 50).otherwise(pl.col(c)).alias(c) for c in columns
        ]
        getattr(table.with_columns(moved), write)(other / file)
    changed = Project.open(other, configuration=CONFIGURATION)
    assert fitted_sources(changed, names).scalers == before


@pytest.mark.parametrize("variant", ["kemm", "cox-report"])
def test_another_knowledge_file_is_refused(project: Project, variant: str) -> None:
    (run,) = train_all(project, (variant,))
    file = project.work / "knowledge.json"
    before = file.read_bytes()
    try:
        file.unlink()
        FrozenKnowledge().write(file)
        with pytest.raises(LockedError, match=r"knowledge\.json is not the one"):
            predict(run, project)
    finally:
        file.write_bytes(before)


@pytest.mark.parametrize("part", ["genes", "report", "clinical"])
def test_a_modality_is_taken_from_the_trained_model_as_if_nobody_had_it(
    project: Project, part: str
) -> None:
    (run,) = train_all(project, ("kemm",))
    whole, less = predict(run, project).table, predict(run, project, without=part).table
    assert less["variant"].unique().to_list() == [f"kemm minus {part} (at inference)"]
    assert less["risk"].to_list() != whole["risk"].to_list()
    names = sorted(project.patients("test", Fold()))
    sources = kept_sources(project, run.metadata())
    config = sources.resolved(KemmConfig(**run.metadata()["model"]))
    hidden = sources.inputs(names, config, part)
    mask = {"genes": "gene_mask", "report": "field_mask", "clinical": "clinical_mask"}[part]
    assert not hidden.tables[mask].any()
    batch = sources.inputs(names, config).batch(np.arange(len(names)))
    trained = load_trained(run)
    with torch.no_grad():
        masked = trained.head.risk(trained.model(batch.without(part)).logits.double())
    np.testing.assert_allclose(less.filter(split="test")["risk"].sort(), masked.sort().values)


def test_a_part_that_is_not_read_cannot_be_taken(project: Project) -> None:
    (run,) = train_all(project, ("genes-only",))
    with pytest.raises(UsageError, match="has no part report"):
        predict(run, project, without="report")


def test_a_control_of_shuffled_reports_shuffles_their_numbers_too(project: Project) -> None:
    names = sorted(project.patients("train", Fold()))
    sources = fitted_sources(project, names)
    own, shuffled, stage = (
        sources.inputs(names, sources.resolved(config)).tables["report_numbers"]
        for config in (
            KemmConfig(),
            KemmConfig(reports="shuffled"),
            KemmConfig(fields=("grade",)),
        )
    )
    assert sources.scalers.reports is not None
    assert own.shape[1] == len(sources.scalers.reports.features) > 2
    assert not torch.equal(own, shuffled)
    assert torch.equal(own.sort(dim=0).values, shuffled.sort(dim=0).values)
    silent = [row for row, name in enumerate(names) if int(name[1:]) % 6 == 0]
    assert not own[silent].any()
    assert own.any(dim=1).sum() == len(names) - len(silent)
    read = [number.field == "grade" for number in sources.scalers.reports.numbers]
    assert torch.equal(stage, own * torch.tensor(read))


def test_patients_of_whom_nothing_is_known_are_told_of_and_have_one_risk(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    (run,) = train_all(project, ("genes-only",))
    capsys.readouterr()
    table = predict(run, project, external=True).table
    told = " ".join(capsys.readouterr().err.split())
    assert "4 of 60 patients have nothing of what genes-only reads (genes): they stay in" in told
    risks = dict(table.select("patient_id", "risk").iter_rows())
    assert len({risks[f"P{number}"] for number in range(56, 60)}) == 1
    assert len(set(risks.values())) > 50


def test_a_cohort_without_a_table_is_predicted_by_what_it_has(
    project: Project, tmp_path: Path
) -> None:
    """As its patients would be if the table were there, and nobody in it."""
    (run,) = train_all(project, ("kemm",))
    folder = write_cohort(tmp_path / "once")
    manifest = yaml.safe_load((folder / "cohort.yaml").read_text())
    del manifest["tables"]["expression"], manifest["tables"]["texts"]
    (folder / "cohort.yaml").write_text(yaml.safe_dump(manifest))
    other = Project.open(folder, configuration=CONFIGURATION)
    table = predict(run, other, external=True).table
    assert table["risk"].is_finite().all()
    whole = predict(run, project, external=True).table
    joined = table.join(whole, on="patient_id")
    assert (joined["risk"] != joined["risk_right"]).any()
    (alone,) = train_all(project, ("genes-only",))
    with pytest.raises(DataError, match="all 60 patients have nothing of what genes-only reads"):
        predict(alone, other, external=True)


def test_a_published_fold_whose_training_patients_have_no_event_is_refused_by_its_number(
    tmp_path: Path,
) -> None:
    folder = write_cohort(tmp_path / "once")
    outcomes = pl.read_csv(folder / "outcomes.csv")
    told = outcomes.select(
        "patient_id",
        pl.when(pl.col("event") == 0)
        .then(pl.lit("train"))
        .otherwise(pl.lit("test"))
        .alias("split"),
    )
    other = told.with_columns(pl.col("split").replace({"train": "test", "test": "train"}))
    folds = [told.with_columns(fold=pl.lit(0)), other.with_columns(fold=pl.lit(1))]
    pl.concat(folds).write_csv(folder / "folds.csv")
    asked = CONFIGURATION.evolve(
        split={"file": "folds.csv", "validation": 0}, train={"select": "last", "patience": None}
    )
    with pytest.raises(DataError, match="part of the division cannot be used") as refused:
        prepare(Project.open(folder, configuration=asked))
    assert any("fold 0" in item and "train" in item for item in refused.value.items)
