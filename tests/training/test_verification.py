from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from sequela.errors import DataError
from sequela.evaluation.predictions import Predictions
from sequela.knowledge.frozen import FrozenKnowledge
from sequela.knowledge.rules import extract_report
from sequela.seal import seal, unseal
from sequela.training.collection import collect_predictions
from sequela.training.preparation import prepare
from sequela.training.project import Project
from sequela.training.run import Run
from sequela.training.stages import train_all
from sequela.training.verification import verify


@pytest.fixture
def work(trained: Project, tmp_path: Path) -> Path:
    copy = Path(shutil.copytree(trained.work, tmp_path / "work"))
    collect_predictions(copy)  # other tests may have predicted since
    return copy


def test_what_training_leaves_is_sealed_and_whole(work: Path) -> None:
    found = verify(work)
    assert found.faults == ()
    runs = {"work/runs/pretrain", "work/runs/lumin", "work/runs/st-r", "work/runs/cox-clinical"}
    assert runs | {"work/prepared", "work/text-encoder"} <= set(found.sealed)


def test_a_run_alone_can_be_verified(work: Path) -> None:
    assert verify(work / "runs" / "lumin").sealed == ("lumin",)


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def _drop_a_row(path: Path) -> None:
    whole = Predictions.read(path)
    Predictions(whole.table[1:], whole.provenance).write(path)


def _unfinish(run: Path) -> None:
    (run / "state.safetensors").write_bytes(b"")
    (run / "seal.json").unlink()


@pytest.mark.parametrize(
    ("damage", "fault"),
    [
        (
            lambda work: _flip(work / "runs" / "lumin" / "checkpoint.safetensors"),
            "work/runs/lumin/checkpoint.safetensors: has changed since",
        ),
        (
            lambda work: _flip(work / "prepared" / "images.npy"),
            "work/prepared/images.npy: has changed since",
        ),
        (
            lambda work: (work / "runs" / "st-r" / "log.jsonl").unlink(),
            "work/runs/st-r/log.jsonl: is missing",
        ),
        (
            lambda work: _drop_a_row(work / "predictions.parquet"),
            "predictions.parquet: is not the rows of the runs' tables; predict again",
        ),
        (
            lambda work: _unfinish(work / "runs" / "st-r"),
            "runs/st-r: is not finished; the command that began it goes on",
        ),
    ],
)
def test_each_damage_is_named(work: Path, damage: Callable[[Path], None], fault: str) -> None:
    damage(work)
    assert fault in verify(work).faults


def written(work: Path) -> list[Path]:
    """Every file that a command made in the work folder; locks and seals aside."""
    paths = (path for path in sorted(work.rglob("*")) if path.is_file())
    return [path for path in paths if not path.name.endswith(".lock") and path.name != "seal.json"]


def test_a_flipped_byte_is_found_in_whatever_file_it_is(work: Path) -> None:
    freeze(work)
    assert verify(work).faults == ()
    unseen = set()
    for path in written(work):
        before = path.read_bytes()
        _flip(path)
        if not any(path.name in fault for fault in verify(work).faults):
            unseen.add(path.name)
        path.write_bytes(before)
    # A byte of a joint table that changes no row and no list of exclusions is not looked for.
    assert unseen <= {"exclusions.csv", "predictions.parquet"}


def freeze(work: Path) -> None:
    FrozenKnowledge({"p": extract_report("Invasive ductal carcinoma, pT2 N1, grade 3.")}).write(
        work / "knowledge.json"
    )


def test_runs_of_other_images_than_stand_there_are_named(work: Path) -> None:
    record = work / "prepared" / "images.parquet"
    table = pl.read_parquet(record).with_columns(pl.col("checksum") + 1)
    table.write_parquet(record)
    unseal(record.parent, record.name)
    seal(record.parent)
    said = "runs/lumin: was made with another set of prepared images than stands here"
    assert said in verify(work).faults


def test_a_folder_in_which_nothing_was_finished_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nothing to verify"):
        verify(tmp_path)


def test_an_encoder_that_a_kill_left_without_a_seal_gets_one(work: Path, trained: Project) -> None:
    (work / "text-encoder" / "seal.json").unlink()
    prepare(replace(trained, work=work))
    assert "work/text-encoder" in verify(work).sealed


def test_a_run_that_is_made_anew_is_sealed_anew(work: Path, trained: Project) -> None:
    run = Run(work / "runs" / "cox-clinical")
    (run.folder / "log.jsonl").write_text("of weights that are gone")
    run.checkpoint.unlink()
    train_all(replace(trained, runs=work / "runs"), ["cox-clinical"])
    assert verify(run.folder).faults == ()
