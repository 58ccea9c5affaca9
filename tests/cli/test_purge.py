from __future__ import annotations

from pathlib import Path

import polars as pl
from spoken import speak

from sequela.traces import traces


def test_a_purged_patient_is_nowhere_and_the_others_are(copied_walk: Path) -> None:
    patients = pl.read_csv(copied_walk / "patients.csv", infer_schema=False)["patient_id"]
    splits = pl.read_csv(copied_walk / "work" / "splits.csv", infer_schema=False)
    gone = splits.filter(pl.col("split") == "train")["patient_id"][0]
    exams = pl.read_csv(copied_walk / "exams.csv", infer_schema=False)
    names = [gone, *exams.filter(patient_id=gone)["exam_id"]]
    assert {name for name, _ in traces(copied_walk, [gone])} >= {"patients.csv", "outcomes.csv"}
    told = speak("--json", "purge", copied_walk, gone).answer
    assert list(traces(copied_walk, names)) == []
    assert told["left"] == []
    assert told["rows"]["patients.csv"] == 1
    assert told["files"] > 0
    assert "runs/lumin" in told["trained"]
    assert "prepared" in told["remade"]
    assert not (copied_walk / "work" / "report.html").exists()
    left = pl.read_csv(copied_walk / "patients.csv", infer_schema=False)["patient_id"]
    assert left.to_list() == [name for name in patients if name != gone]
    assert speak("check", copied_walk).code == 0
    assert speak("prepare", copied_walk).code == 0
    assert speak("verify", copied_walk / "work" / "runs" / "lumin").code == 0


def test_a_patient_nobody_knows_cannot_be_purged(copied: Path) -> None:
    said = speak("--json", "purge", copied, "nobody-4711")
    assert said.code == 3
    assert "nobody-4711" not in said.all
