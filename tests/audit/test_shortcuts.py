from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

from sequela.audit.audit import Audit, audit_cohort
from sequela.audit.labels import label_cases
from sequela.audit.shortcuts import coded, shortcuts, times_in_disguise
from sequela.cohort.checks import checked_tables
from sequela.cohort.cohort import read_cohort
from sequela.cohort.protocol import ProtocolSettings
from sequela.cohort.selection import select_cases

INDEX = ProtocolSettings(name="cross-validation")


def severities(audit: Audit) -> dict[str, str]:
    return {item.code: item.severity for item in audit.findings}


def outcomes(folder: Path) -> pl.DataFrame:
    return pl.read_csv(folder / "outcomes.csv").select("patient_id", "time", "event")


def test_what_was_written_when_the_outcome_was_known_is_a_leak(
    copied: Path, changed: Callable[..., Path]
) -> None:
    ends = outcomes(copied)

    def plant(patients: pl.DataFrame) -> pl.DataFrame:
        happened, kept = pl.col("event") == 1, pl.col("chance") < 0.75
        return (
            patients.join(ends, on="patient_id")
            .with_columns(chance=np.random.default_rng(1).random(len(patients)))
            .with_columns(
                second_line=happened.cast(pl.Int64),
                months=pl.col("time") / 30.4,
                nodes=pl.when(happened == kept).then("nodes"),
                site=pl.when(happened == kept).then(pl.lit("a")).otherwise(pl.lit("b")),
            )
            .sort("event", maintain_order=True)
            .drop("time", "event", "chance")
        )

    covariates = {"second_line": {"kind": "binary"}, "months": {"kind": "numeric"}}
    manifest = {
        "clinical": covariates,
    }
    folder = changed("patients", plant, manifest)
    found = severities(audit_cohort(folder, INDEX))
    expected = {"A011", "A012", "A013", "A015", "A016"}
    assert expected <= set(found)
    assert found["A011"] == found["A012"] == found["A013"] == "warning"
    assert found["A015"] == found["A016"] == "error"


def test_folders_and_sizes_of_files_are_looked_at(
    copied: Path, changed: Callable[..., Path]
) -> None:
    ends = dict(outcomes(copied).select("patient_id", "event").iter_rows())
    exams = pl.read_csv(copied / "exams.csv")
    rows = []
    for patient, exam in exams.select("patient_id", "exam_id").iter_rows():
        path = Path("cases" if ends[patient] == 1 else "controls") / f"{exam}.dcm"
        (copied / path).parent.mkdir(exist_ok=True)
        (copied / path).write_bytes(b"0" * (100 + 50 * (ends[patient] == 1)))
        rows.append((f"{exam}-I", exam, "L", "CC", str(path)))
    schema = ["image_id", "exam_id", "side", "view", "path"]
    pl.DataFrame(rows, schema=schema, orient="row").write_csv(copied / "images.csv")
    tables = {"images": {"file": "images.csv"}}
    folder = changed("exams", lambda table: table.with_columns(day=pl.lit(0)), {"tables": tables})
    audit = audit_cohort(folder, INDEX)
    leaks = [item for item in audit.findings if item.code == "A014"]
    assert [item.severity for item in leaks] == ["error", "error"]
    assert {item.file for item in leaks} == {"images.csv"}
    assert str(folder) not in "".join(map(str, audit.findings))


def test_only_what_varies_is_judged(clean: Path) -> None:
    cohort = read_cohort(clean)
    tables, _ = checked_tables(clean, cohort.manifest)
    labelled = label_cases(cohort, select_cases(cohort, INDEX))
    found = shortcuts(cohort, tables, labelled)
    assert {item.name for item in found} == {
        "site",
        "missing values",
        "order of rows in patients",
        "order of rows in exams",
        *cohort.covariates.columns[1:],
    }
    assert list(times_in_disguise(cohort, "recurrence")) == []


def test_codes_follow_frequency_and_the_rare_share_one() -> None:
    np.testing.assert_array_equal(coded(["b", "a", "b", ""]), [0, 2, 0, 1])
    assert len(np.unique(coded([str(number) for number in range(500)]))) == 201
