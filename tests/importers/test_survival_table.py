from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from sequela.cohort.checks import check_cohort
from sequela.cohort.cohort import Cohort, read_cohort
from sequela.cohort.protocol import ProtocolSettings
from sequela.cohort.selection import select_cases
from sequela.errors import DataError, UsageError
from sequela.importers.pseudonyms import open_pseudonyms
from sequela.importers.survival_table import import_table

MAPPINGS = Path(__file__).parents[2] / "docs" / "cohorts"

TABLE = """\
id;age;stage;t_rec;rec;t_dead;dead
A;50;2;100;yes;300;1
B;61.5;25;400;no;300;1
C;NA;26;500;no;600;0
D;70;1;;no;600;0
E;70;1;0;no;0;0
F;70;1;200;yes;200;1
"""
MAPPING: dict[str, Any] = {
    "name": "wide",
    "patient_id": "id",
    "endpoints": {
        "recurrence": {
            "causes": {1: "recurrence", 2: "death"},
            "events": [
                {"time": "t_rec", "event": "rec", "happened": ["yes"], "censored": ["no"]},
                {"time": "t_dead", "event": "dead", "cause": 2},
            ],
        }
    },
    "clinical": {
        "age": {"kind": "numeric"},
        "size": {"kind": "ordinal", "levels": ["small", "large"]},
    },
    "columns": {"size": "stage"},
    "cuts": {"size": [25]},
}


def imported(folder: Path, text: str = TABLE, **changes: Any) -> Path:
    (folder / "wide.csv").write_text(text)
    (folder / "mapping.yaml").write_text(yaml.safe_dump(MAPPING | changes, allow_unicode=True))
    table, mapping = folder / "wide.csv", folder / "mapping.yaml"
    import_table(table, folder / "out", mapping, keep_ids=True)
    return folder / "out"


def test_the_first_thing_that_happened_is_the_outcome(tmp_path: Path) -> None:
    out = imported(tmp_path)
    assert check_cohort(out) == []
    cohort = read_cohort(out)
    outcomes = cohort.outcomes.select("patient_id", "time", "event").rows()
    assert outcomes == [("A", 100.0, 1), ("B", 300.0, 2), ("C", 500.0, 0), ("F", 200.0, 1)]
    assert cohort.covariates["size"].to_list() == ["small", "small", "large", *["small"] * 3]
    assert cohort.covariates["age"].to_list() == [50.0, 61.5, None, 70.0, 70.0, 70.0]


def test_ids_become_pseudonyms_that_a_dicom_import_under_the_key_would_give(
    tmp_path: Path,
) -> None:
    kept = imported(tmp_path)
    out, key = tmp_path / "hidden", tmp_path / "key"
    import_table(tmp_path / "wide.csv", out, tmp_path / "mapping.yaml", key=key)
    pseudonyms = open_pseudonyms(key, out)
    for name in ("patients", "outcomes"):
        before, after = (
            pl.read_csv(folder / f"{name}.csv", infer_schema=False) for folder in (kept, out)
        )
        named = [pseudonyms.name("patient", one) for one in before["patient_id"]]
        assert after["patient_id"].to_list() == named
        assert after.drop("patient_id").equals(before.drop("patient_id"))
    links = dict(pl.read_csv(tmp_path / "key-links.csv").iter_rows())
    assert links["A"] == pseudonyms.name("patient", "A")


def test_who_has_no_outcome_is_said_by_line(tmp_path: Path) -> None:
    report = pl.read_csv(imported(tmp_path) / "import-report.csv")
    assert [name.rpartition(":")[2] for name in report["file"]] == ["5", "6"]
    assert set(report["reason"]) == {"no time above zero, or no event, of recurrence"}


def test_an_event_code_that_nobody_explained_stops_the_import(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="column rec: 1 value") as caught:
        imported(tmp_path, TABLE.replace("A;50;2;100;yes", "A;50;2;100;maybe"))
    assert caught.value.items == ("line 2",)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"endpoints": {"os": {"events": [{"time": "t", "event": "dead"}]}}}, "column"),
        ({"columns": {"size": "shoe"}, "cuts": {}}, "does not hold what the mapping names"),
        ({"patient_id": "name"}, "does not hold what the mapping names"),
    ],
)
def test_a_column_that_is_not_there_is_named(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        imported(tmp_path, **changes)


def test_a_mapping_that_cannot_be_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="makes 3 levels"):
        imported(tmp_path, cuts={"size": [10, 25]})
    with pytest.raises(UsageError, match="cannot be used"):
        imported(tmp_path, colour="blue")
    imported(tmp_path)
    with pytest.raises(UsageError, match="already has"):
        imported(tmp_path)
    with pytest.raises(UsageError, match="no file"):
        import_table(tmp_path / "none.csv", tmp_path / "other", tmp_path / "mapping.yaml")


def real(shared: Path, file: str, name: str, folder: Path) -> tuple[Cohort, list[dict[str, str]]]:
    path = shared / "survival" / file
    import_table(path, folder / name, MAPPINGS / f"{name}.yaml", keep_ids=True)
    assert check_cohort(folder / name) == []
    with path.open(encoding="utf-8") as text:
        rows = list(csv.DictReader(text, delimiter="\t" if path.suffix == ".tsv" else ","))
    return read_cohort(folder / name), rows


def cases(cohort: Cohort, endpoint: str) -> dict[str, tuple[float, int]]:
    protocol = ProtocolSettings(name="cross-validation", endpoint=endpoint)
    selection = select_cases(cohort, protocol)
    ends = zip(selection.followup.time.tolist(), selection.followup.event.tolist(), strict=True)
    return {case.patient_id: end for case, end in zip(selection.cases, ends, strict=True)}


def test_rotterdam_is_a_recurrence_cohort(shared_data: Path, tmp_path: Path) -> None:
    cohort, rows = real(shared_data, "rotterdam.csv", "rotterdam", tmp_path)
    assert len(cohort.patients) == len(rows) == 2982
    competing = cases(cohort, "recurrence")
    composite = cases(cohort, "recurrence-free-survival")
    for row in rows:
        recurred, died = row["recur"] == "1", row["death"] == "1"
        time = float(row["rtime"] if recurred or not died else row["dtime"])
        assert competing[row["pid"]] == (time, 1 if recurred else 2 * died)
        assert composite[row["pid"]] == (time, int(recurred or died))


def test_gbsg_has_the_covariates_of_rotterdam(shared_data: Path, tmp_path: Path) -> None:
    cohort, rows = real(shared_data, "gbsg.csv", "gbsg", tmp_path)
    other, _ = real(shared_data, "rotterdam.csv", "rotterdam", tmp_path)
    assert len(cohort.patients) == len(rows) == 686
    assert cohort.manifest.clinical == other.manifest.clinical
    ends = cases(cohort, "recurrence-free-survival")
    sizes = dict(cohort.covariates.select("patient_id", "size").iter_rows())
    for row in rows:
        assert ends[row["pid"]] == (float(row["rfstime"]), int(row["status"]))
        size = float(row["size"])
        assert sizes[row["pid"]] == ("<=20" if size <= 20 else "20-50" if size <= 50 else ">50")


def test_metabric_comes_in_months_and_words(shared_data: Path, tmp_path: Path) -> None:
    cohort, rows = real(shared_data, "metabric_clinical.tsv", "metabric", tmp_path)
    assert len(cohort.patients) == len(rows) == 2509
    ends = cases(cohort, "recurrence")
    month = 365.25 / 12
    known = 0
    for row in rows:
        time, status = row["Relapse Free Status (Months)"], row["Relapse Free Status"]
        if status in ("", "NA") or time in ("", "NA") or float(time) <= 0:
            assert row["Patient ID"] not in ends
            continue
        known += 1
        days, event = ends[row["Patient ID"]]
        assert days == pytest.approx(float(time) * month, rel=1e-12)
        assert event == int(status == "1:Recurred")
    assert known == len(ends) == 2376
