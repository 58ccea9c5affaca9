"""Bad input: a message that says what, where and what to do, and nothing lost."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from spoken import Spoken, contents, speak

from sequela.simulation.hostile import TROUBLES
from sequela.storage import owned

CANARY = "CANARY-4711"
ABSOLUTE = re.compile(r"(?<![\w.…/])/(?:\w[\w.-]*/)+")


@pytest.fixture
def cohort(copied: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The tiny cohort by a relative name, so that every absolute path is one of ours."""
    monkeypatch.chdir(copied.parent)
    return Path(copied.name)


@pytest.fixture
def finished(copied_walk: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same after the whole walk."""
    monkeypatch.chdir(copied_walk.parent)
    return Path(copied_walk.name)


def require_decent(said: Spoken, code: int, *secrets: str) -> None:
    """The exit code, a message and what mends it; no value, no path, no traceback."""
    assert said.code == code, said.all
    assert "Traceback" not in said.all
    assert "a fault in Sequela" not in said.all
    assert not ABSOLUTE.search(said.all), said.all
    assert not [secret for secret in (CANARY, *secrets) if secret in said.all]


def require_mend(said: Spoken) -> None:
    message = re.search(r"^error: (.{15,})$", said.err, re.MULTILINE)
    mend = re.search(r"^mend: (.{10,})$", said.err, re.MULTILINE)
    assert message, said.err
    assert mend, said.err


def edit(cohort: Path, table: str, change: Callable[[pl.DataFrame], pl.DataFrame]) -> None:
    path = cohort / f"{table}.csv"
    change(pl.read_csv(path, infer_schema=False)).write_csv(path)


def put(table: str, column: str, value: str | None, rows: int = 1) -> Callable[[Path], None]:
    """Put a value into the first rows of a column."""

    def spoil(cohort: Path) -> None:
        chosen = pl.int_range(pl.len()) < rows
        new = pl.when(chosen).then(pl.lit(value)).otherwise(pl.col(column)).alias(column)
        edit(cohort, table, lambda frame: frame.with_columns(new))

    return spoil


def one_and_two(cohort: Path) -> None:
    new = (pl.col("event").cast(pl.Int64) > 0).cast(pl.Int64) + 1
    edit(cohort, "outcomes", lambda frame: frame.with_columns(new.cast(pl.String).alias("event")))


TABLES: dict[str, tuple[Callable[[Path], None], str, str]] = {
    "missing id": (put("patients", "patient_id", None), "C012", "patients.csv:2 patient_id"),
    "duplicate id": (put("patients", "patient_id", CANARY, 2), "C013", "patients.csv:3 patient_id"),
    "missing exam id": (put("exams", "exam_id", None), "C012", "exams.csv:2 exam_id"),
    "duplicate image id": (put("images", "image_id", CANARY, 2), "C013", "images.csv:3 image_id"),
    "outcome before exam": (put("exams", "day", "94711"), "C034", "exams.csv:2 day"),
    "negative time": (put("outcomes", "time", "-4711.5"), "C031", "outcomes.csv:2 time"),
    "zero time": (put("outcomes", "time", "0"), "C031", "outcomes.csv:2 time"),
    "event coded 1 and 2": (one_and_two, "C026", "outcomes.csv event"),
    "date for a day": (put("exams", "day", "1947-11-04"), "C023", "exams.csv:2 day"),
    "date for a time": (put("outcomes", "time", "04.11.1947"), "C023", "outcomes.csv:2 time"),
    "unknown side": (put("images", "side", CANARY), "C025", "images.csv:2 side"),
    "unknown view": (put("images", "view", CANARY), "C025", "images.csv:2 view"),
}
VALUES = ("94711", "-4711.5", "1947-11-04", "04.11.1947")


@pytest.mark.parametrize("name", TABLES)
def test_a_bad_row_is_named_by_place_and_code_and_stops_the_walk(cohort: Path, name: str) -> None:
    spoil, code, place = TABLES[name]
    spoil(cohort)
    before = contents(cohort)
    checked = speak("check", cohort)
    require_decent(checked, 3, *VALUES)
    assert re.search(rf"error\[{code}\] {re.escape(place)}: .{{10,}}\n  = .{{10,}}", checked.out)
    found = speak("--json", "check", cohort)
    require_decent(found, 3, *VALUES)
    refused = speak("prepare", cohort)
    require_decent(refused, 3, *VALUES)
    require_mend(refused)
    assert f"[{code}]" in refused.err
    assert contents(cohort) == before


@pytest.mark.parametrize("command", ["prepare", "train", "predict"])
def test_a_patient_in_two_splits_is_leakage(finished: Path, command: str) -> None:
    path = finished / "work" / "splits.csv"
    table = pl.read_csv(path, infer_schema=False)
    other = {"train": "test", "test": "train", "validation": "train"}
    both = table.head(1).with_columns(pl.col("split").replace(other))
    pl.concat([table, both]).write_csv(path)
    before = contents(finished)
    said = speak(command, finished, *(["-v", "cox-clinical"] if command == "train" else []))
    require_decent(said, 5, table["patient_id"][0])
    require_mend(said)
    assert "two parts of one fold" in said.err
    assert contents(finished) == before


HOSTILE = ("truncated", "truncated-jpeg", "enormous", "enormous-jpeg", "not-dicom", "empty")


def test_hostile_files_are_rows_of_a_report_and_not_the_end(cohort: Path) -> None:
    images = pl.read_csv(cohort / "images.csv")
    for path, trouble in zip(images["path"], HOSTILE, strict=False):
        TROUBLES[trouble](cohort / path)
    assert (cohort / images["path"][2]).stat().st_size < 4096
    said = speak("prepare", cohort)
    require_decent(said, 0)
    assert f"{len(HOSTILE)} unreadable" in said.out
    quality = pl.read_parquet(cohort / "work" / "prepared" / "images.parquet")
    failed = quality.filter(pl.col("failed").is_not_null() & (pl.col("failed") != ""))
    assert set(failed["image_id"]) == set(images["image_id"].head(len(HOSTILE)))
    assert all(len(reason) > 5 for reason in failed["failed"])
    assert not [reason for reason in failed["failed"] if ABSOLUTE.search(reason)]
    assert len(quality) == len(images)


def test_hostile_files_are_set_aside_by_an_import(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "scans").mkdir()
    TROUBLES["implant"](tmp_path / "scans" / "good.dcm")
    for trouble in (*HOSTILE, "unknown-side", "unknown-view"):
        TROUBLES[trouble](tmp_path / "scans" / f"{trouble}.dcm")
    said = speak("import", "dicom", "scans", "--out", "cohort")
    require_decent(said, 0)
    report = pl.read_csv(tmp_path / "cohort" / "import-report.csv")
    known = pl.read_csv(tmp_path / "cohort-pseudonyms-files.csv")
    named = {Path(name).stem for name in known["file"]}
    assert named >= {"unknown-side", "unknown-view", "empty", "not-dicom"}
    assert set(report["file"]) == set(known["name"])
    assert len(pl.read_csv(tmp_path / "cohort" / "images.csv")) >= 1


@pytest.mark.parametrize(
    ("settings", "part"),
    [
        (("split.folds=15",), "fold"),
        (("split.validation=0.04",), "validation"),
        (("protocol.horizon=9",), "longer protocol.horizon"),
    ],
    ids=["no event in a fold", "one class in validation", "no event in time"],
)
def test_a_division_from_which_nothing_can_be_learnt_is_not_drawn(
    cohort: Path, settings: tuple[str, ...], part: str
) -> None:
    before = contents(cohort)
    said = speak("prepare", cohort, *settings)
    require_decent(said, 3)
    require_mend(said)
    assert part in said.err
    after = contents(cohort)
    assert before.items() <= after.items()
    assert not (cohort / "work" / "splits.csv").exists()


def test_a_loss_that_is_no_number_ends_the_run_and_touches_no_other(finished: Path) -> None:
    (finished / "work" / "runs" / "st-r").rename(finished / "kept")
    run = "work/runs/st-r/"
    before = contents(finished)
    said = speak("train", finished, "-v", "st-r", "train.new_rate=1e30")
    require_decent(said, 3)
    require_mend(said)
    assert re.search(r"the loss became (nan|inf).*learning rates", said.err)
    after = contents(finished)
    assert before.items() <= after.items()
    assert all(name.startswith(run) for name in after.keys() - before.keys())


@pytest.mark.parametrize(
    "words",
    [
        ("prepare", "--work", "elsewhere"),
        ("train", "-v", "cox-clinical"),
        ("train", "-v", "st-r", "train.seed=4", "--restart"),
        ("predict",),
        ("evaluate",),
        ("explain",),
        ("report",),
    ],
    ids=lambda words: " ".join(words),
)
def test_a_full_disk_is_said_and_what_stood_stands(
    finished: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), f"/secret/{CANARY}")

    before = contents(finished)
    monkeypatch.setattr(os, "fsync", full)
    command, *options = words
    said = speak(command, finished, *options)
    require_decent(said, 7)
    require_mend(said)
    assert "no space left" in said.err
    after = contents(finished)
    if "--restart" in words:  # which asks for the run to be thrown away, and no other
        before = {name: held for name, held in before.items() if "runs/st-r" not in name}
    assert before.items() <= after.items()
    assert not [name for name in after if name.endswith(".part")]


@pytest.mark.parametrize(
    ("folder", "words"),
    [
        ("work/runs/st-r", ("train", "-v", "st-r")),
        ("work/runs/cox-clinical", ("train", "-v", "cox-clinical")),
        ("work/runs/pretrain", ("pretrain", "--restart")),
        ("work/prepared", ("prepare", "images.size=40")),
    ],
)
def test_a_second_process_in_one_folder_is_locked_out(
    finished: Path, folder: str, words: tuple[str, ...]
) -> None:
    before = contents(finished)
    command, *options = words
    with owned(finished / folder):
        said = speak(command, finished, *options)
    require_decent(said, 4)
    require_mend(said)
    assert f"works in {Path(folder).name}" in said.err
    assert contents(finished) == before


def test_an_unknown_key_is_named_with_the_one_that_was_meant(cohort: Path) -> None:
    file = cohort / "sequela.yaml"
    for said in (
        speak("prepare", cohort, "train.epoch=3"),
        speak("evaluate", cohort, "evaluation.bootstrap=3"),
    ):
        require_decent(said, 2)
        require_mend(said)
        assert "did you mean" in said.err
    file.write_text(file.read_text(encoding="utf-8") + "trian: {epochs: 3}\n", encoding="utf-8")
    said = speak("prepare", cohort)
    require_decent(said, 2)
    require_mend(said)
    assert "sequela.yaml" in said.err
    assert "trian" in said.err
    assert "did you mean train" in said.err
    assert not (cohort / "work").exists()
