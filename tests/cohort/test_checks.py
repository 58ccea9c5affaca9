"""Every rule is planted once, and found where it was planted."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from plants import PLANTS, SETS, Plant, folder_linked_out, genes, linked_out

from sequela.cohort.checks import check_cohort
from sequela.cohort.cohort import read_cohort
from sequela.cohort.findings import errors
from sequela.cohort.rules import RULES
from sequela.errors import DataError, SequelaError

PAGES = Path(__file__).parents[2] / "docs" / "findings"


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.name)
def test_a_planted_fault_is_found_where_it_is(
    plant: Plant, write: Any, tables: Any, manifest: Any
) -> None:
    afterwards = plant.plant(tables, manifest)
    folder = write(tables, manifest)
    if callable(afterwards):
        afterwards(folder)
    findings = check_cohort(folder)
    first = next(item for item in findings if item.code == plant.code)
    assert (first.file, first.row, first.column) == (plant.file, plant.row, plant.column)
    assert sorted(item.code for item in findings) == sorted([plant.code, *plant.also])
    assert first.severity == RULES[plant.code].severity


@pytest.mark.parametrize("change", [linked_out, folder_linked_out])
def test_links_may_lead_out_where_the_manifest_says_so(
    write: Any, tables: Any, manifest: Any, change: Callable[[Path], None]
) -> None:
    folder = write(tables, manifest | {"links": "anywhere"})
    change(folder)
    assert check_cohort(folder) == []


def test_a_sound_cohort_has_no_finding(write: Any, tables: Any) -> None:
    assert check_cohort(write(tables)) == []


def test_every_rule_has_a_plant_and_a_page() -> None:
    assert {plant.code for plant in PLANTS} == set(RULES)
    assert {page.stem for page in PAGES.glob("C*.md")} == set(RULES)
    for code, rule in RULES.items():
        page = (PAGES / f"{code}.md").read_text(encoding="utf-8")
        assert page.startswith(f"# {code}: ")
        assert f"\n*{rule.severity}*\n" in page
        for heading in ("## Why it matters", "## Mend", "## Example"):
            assert f"\n{heading}\n" in page, (code, heading)
        assert f"{rule.severity}[{code}]" in page


def test_slides_are_checked_and_belong_to_their_patients(
    write: Any, tables: Any, manifest: Any
) -> None:
    manifest["tables"]["slides"] = {"file": "slides.csv"}
    tables["slides"] = [
        {"slide_id": "S1", "patient_id": "P1", "path": "S1.svs", "mpp": 0.5},
        {"slide_id": "S2", "patient_id": "P1"},
    ]
    folder = write(tables, manifest)
    assert [(item.code, item.row) for item in check_cohort(folder)] == [("C041", 2)]
    (folder / "S1.svs").touch()
    first, second = read_cohort(folder).patient("P1").slides
    assert (first.path, first.mpp) == (folder.resolve() / "S1.svs", 0.5)
    assert (second.path, second.features) == (None, None)


def test_genes_are_read_whatever_the_order_of_rows_and_columns(
    write: Any, tables: Any, manifest: Any
) -> None:
    genes(sets=SETS)(tables, manifest)
    tables["expression"][2]["VHL"] = None
    del tables["expression"][3]
    folder = write(tables, manifest)
    (folder / "sets.gmt").write_text(SETS)
    cohort = read_cohort(folder)
    values, known = cohort.genes["expression"].of(["P2", "P0", "P3"])
    assert cohort.genes["expression"].genes == ("BAX", "TP53", "VHL")
    assert known.tolist() == [[True, True, False], [True] * 3, [False] * 3]
    assert values.tolist() == [[1.0, 4.5, 0.0], [1.0, 2.5, 0.0], [0.0] * 3]
    turned = pl.read_csv(folder / "expression.csv").select("BAX", "VHL", "patient_id", "TP53")
    turned.reverse().write_csv(folder / "expression.csv")
    assert read_cohort(folder).fingerprint == cohort.fingerprint
    assert cohort.gene_sets == {"A": ("TP53", "VHL")}


@pytest.mark.parametrize("endpoint", [{"causes": {0: "none"}}, {"causes": {1: "a"}, "cause": 2}])
def test_an_endpoint_names_its_causes(
    write: Any, tables: Any, manifest: Any, endpoint: dict[str, Any]
) -> None:
    manifest["endpoints"]["recurrence"] = endpoint
    assert [item.code for item in check_cohort(write(tables, manifest))] == ["C002"]


def test_a_reader_gets_every_error_at_once(write: Any, tables: Any) -> None:
    tables["outcomes"][0]["time"] = "soon"
    tables["images"][3]["view"] = "XX"
    tables["patients"][1]["grade"] = 9
    with pytest.raises(DataError) as caught:
        read_cohort(write(tables))
    assert [re.match(r"error\[(C\d+)\]", item).group(1) for item in caught.value.items] == [  # type: ignore[union-attr]
        "C052",
        "C021",
        "C025",
    ]


def test_a_warning_does_not_stop_the_reader(write: Any, tables: Any) -> None:
    tables["patients"][0]["shoe_size"] = 38
    assert len(read_cohort(write(tables)).patients) == 4


def test_no_finding_shows_a_value(write: Any, tables: Any) -> None:
    secret = "SECRET-JANE-DOE"
    for table, rows in tables.items():
        for column in rows[0]:
            changed = [{**row} for row in rows]
            changed[1][column] = secret
            findings = check_cohort(write({**tables, table: changed}))
            assert not any(secret in str(item) for item in findings), (table, column)


def test_it_is_printed_as_a_compiler_would(write: Any, tables: Any) -> None:
    tables["outcomes"][1]["time"] = "1990-01-01"
    (found,) = check_cohort(write(tables))
    assert str(found).splitlines() == [
        "error[C023] outcomes.csv:3 time: a calendar date stands where days from the index date "
        "belong",
        "  = subtract the patient's index date; no calendar date is stored in a cohort",
    ]


def test_lines_are_counted_through_line_breaks_in_texts(write: Any, tables: Any) -> None:
    tables["texts"][0]["text"] = "Line one.\nLine two, with a comma.\n\nLine four."
    tables["texts"][2]["day"] = "x"
    (found,) = check_cohort(write(tables))
    assert found.row == 7


def test_a_byte_order_mark_and_windows_lines_are_read(write: Any, tables: Any) -> None:
    folder = write(tables)
    before = read_cohort(folder).fingerprint
    path = folder / "patients.csv"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert read_cohort(folder).fingerprint == before


def test_parquet_and_tabs_are_the_same_cohort(write: Any, tables: Any, manifest: Any) -> None:
    folder = write(tables)
    before = read_cohort(folder)
    pl.read_csv(folder / "exams.csv").write_parquet(folder / "exams.parquet")
    pl.read_csv(folder / "texts.csv").write_csv(folder / "texts.tsv", separator="\t")
    text = (folder / "cohort.yaml").read_text()
    text = text.replace("exams.csv", "exams.parquet").replace("texts.csv", "texts.tsv")
    (folder / "cohort.yaml").write_text(text)
    assert check_cohort(folder) == []
    assert read_cohort(folder).patients == before.patients


def test_columns_values_and_constants_are_mapped(write: Any, tables: Any, manifest: Any) -> None:
    for row in tables["outcomes"]:
        row["status"] = ("1:alive", "2:recurred")[row.pop("event")]
        del row["endpoint"]
    manifest["tables"]["outcomes"] |= {
        "columns": {"event": "status"},
        "values": {"event": {"1:alive": 0, "2:recurred": 1}},
        "constants": {"endpoint": "recurrence"},
    }
    cohort = read_cohort(write(tables, manifest))
    assert cohort.outcomes["event"].to_list() == [0, 1, 0, 1]


def test_a_site_may_be_a_covariate_too(write: Any, tables: Any, manifest: Any) -> None:
    manifest["clinical"]["site"] = {"kind": "categorical", "levels": ["S0", "S1"]}
    cohort = read_cohort(write(tables, manifest))
    assert cohort.covariates["site"].to_list() == [one.site for one in cohort.patients]
    tables["patients"][2]["site"] = "S9"
    assert [item.code for item in check_cohort(write(tables, manifest))] == ["C052"]


FILES = ["cohort.yaml", "patients.csv", "outcomes.csv", "exams.csv", "images.csv", "texts.csv"]
some_bytes = st.one_of(
    st.binary(max_size=12),
    st.sampled_from([b",", b";", b"\n", b'"', b"\x00", b"1e999", b"NaN", b"-", b": ", b"\xff"]),
)


@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(file=st.sampled_from(FILES), start=st.floats(0, 1), cut=st.integers(0, 40), new=some_bytes)
def test_whatever_stands_in_a_file_the_check_ends_in_findings(
    sound: Path, file: str, start: float, cut: int, new: bytes
) -> None:
    path = sound / file
    before = path.read_bytes()
    place = int(start * len(before))
    path.write_bytes(before[:place] + new + before[place + cut :])
    try:
        findings = check_cohort(sound)
        if errors(findings):
            with pytest.raises(SequelaError):
                read_cohort(sound)
        else:
            read_cohort(sound)
    finally:
        path.write_bytes(before)


@pytest.fixture
def sound(write: Any, little: Any) -> Path:
    return write(little(2, 2))


def test_a_level_may_come_as_a_float(write: Any, tables: Any) -> None:
    tables["patients"][0]["grade"] = "2.0"
    assert read_cohort(write(tables)).covariates["grade"].to_list() == ["2", "2", "3", "1"]
