"""Every rule is planted once, and found where it was planted."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sequela.cohort.checks import check_cohort
from sequela.cohort.cohort import read_cohort
from sequela.cohort.findings import RULES, errors
from sequela.errors import DataError, SequelaError

PAGES = Path(__file__).parents[2] / "docs" / "findings"


@dataclass(frozen=True)
class Plant:
    """A fault, how it is planted, and where it must be found."""

    code: str
    plant: Callable[..., Any]
    file: str
    row: int | None
    column: str = ""
    also: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return f"{self.code}-{self.file}-{self.column}"


def cell(table: str, row: int, column: str, value: object) -> Callable[..., None]:
    """Writes `value` into line `row` (the header is line 1) of a table."""

    def plant(tables: Any, manifest: Any) -> None:
        tables[table][row - 2][column] = value

    return plant


def setting(*path: str, value: object) -> Callable[..., None]:
    def plant(tables: Any, manifest: Any) -> None:
        section = manifest
        for key in path[:-1]:
            section = section[key]
        section[path[-1]] = value

    return plant


def without(table: str, column: str) -> Callable[..., None]:
    def plant(tables: Any, manifest: Any) -> None:
        for row in tables[table]:
            del row[column]

    return plant


def events(*codes: int) -> Callable[..., None]:
    def plant(tables: Any, manifest: Any) -> None:
        for row, code in zip(tables["outcomes"], codes, strict=True):
            row["event"] = code

    return plant


def every(table: str, column: str, value: Callable[[int], object]) -> Callable[..., None]:
    def plant(tables: Any, manifest: Any) -> None:
        for number, row in enumerate(tables[table]):
            row[column] = value(number)

    return plant


def on_disk(change: Callable[[Path], object]) -> Callable[..., Callable[[Path], object]]:
    """A fault of the files themselves, planted once they are written."""
    return lambda tables, manifest: change


def rewritten(file: str, change: Callable[[bytes], bytes]) -> Callable[..., Any]:
    def plant(folder: Path) -> None:
        path = folder / file
        path.write_bytes(change(path.read_bytes()))

    return on_disk(plant)


def linked_out(folder: Path) -> None:
    path = folder / "dicom" / "P0-E0-LCC.dcm"
    path.unlink()
    outside = folder.parent / "outside.dcm"
    outside.touch()
    path.symlink_to(outside)


def folder_linked_out(folder: Path) -> None:
    outside = folder.parent / "dicom-outside"
    (folder / "dicom").rename(outside)
    (folder / "dicom").symlink_to(outside)


def short_followup(tables: Any, manifest: Any) -> None:
    tables["outcomes"] *= 4
    tables["exams"], tables["images"], tables["texts"] = ([], [], [])
    for table in ("exams", "images", "texts"):
        del manifest["tables"][table], tables[table]
    for number, row in enumerate(tables["outcomes"]):
        tables["outcomes"][number] = {**row, "patient_id": f"P{number}", "time": 10 + number}
    tables["patients"] = [
        {"patient_id": f"P{number}", "age": 50, "grade": 1} for number in range(16)
    ]


PLANTS = [
    Plant("C001", on_disk(lambda folder: (folder / "cohort.yaml").unlink()), "cohort.yaml", None),
    Plant("C002", setting("colour", value="blue"), "cohort.yaml", None),
    Plant("C003", on_disk(lambda folder: (folder / "texts.csv").unlink()), "texts.csv", None),
    Plant("C004", rewritten("exams.csv", lambda text: text + b"a,b,c,d,e,f\n"), "exams.csv", None),
    Plant("C004", rewritten("exams.csv", lambda text: text + b'"a,b\n'), "exams.csv", None),
    Plant(
        "C004",
        rewritten("exams.csv", lambda text: text.replace(b"vendor", b"day", 1)),
        "exams.csv",
        1,
    ),
    Plant(
        "C005", rewritten("patients.csv", lambda t: t.replace(b"P2", b"P\xe9")), "patients.csv", 4
    ),
    Plant("C006", without("outcomes", "event"), "outcomes.csv", None, "event"),
    Plant("C006", without("patients", "age"), "patients.csv", None, "age"),
    Plant(
        "C007", rewritten("texts.csv", lambda t: t.partition(b"\n")[0] + b"\n"), "texts.csv", None
    ),
    Plant("C007", rewritten("texts.csv", lambda t: b""), "texts.csv", None, "", ("C006",) * 5),
    Plant("C008", rewritten("exams.csv", lambda t: t.replace(b",", b";")), "exams.csv", None),
    Plant(
        "C010",
        setting("tables", "exams", "columns", value={"dya": "d"}),
        "cohort.yaml",
        None,
        "dya",
    ),
    Plant("C011", every("exams", "modalty", lambda n: "MG"), "exams.csv", None, "modalty"),
    Plant("C012", cell("texts", 4, "text_id", ""), "texts.csv", 4, "text_id"),
    Plant("C012", cell("outcomes", 3, "patient_id", "NA"), "outcomes.csv", 3, "patient_id"),
    Plant("C013", cell("texts", 7, "text_id", "P0-E0-T"), "texts.csv", 7, "text_id"),
    Plant("C013", cell("images", 9, "image_id", "P0-E0-LCC"), "images.csv", 9, "image_id"),
    Plant("C014", cell("texts", 5, "text_id", "P1-E0-T "), "texts.csv", 5, "text_id"),
    Plant("C015", cell("images", 5, "exam_id", "P9-E9"), "images.csv", 5, "exam_id"),
    Plant("C015", cell("outcomes", 2, "patient_id", "P9"), "outcomes.csv", 2, "patient_id"),
    Plant("C016", cell("texts", 2, "exam_id", "P1-E0"), "texts.csv", 2, "exam_id"),
    Plant(
        "C017",
        cell("texts", 2, "patient_id", "../P0"),
        "texts.csv",
        2,
        "patient_id",
        ("C015", "C016"),
    ),
    Plant("C021", cell("patients", 3, "age", "61 years"), "patients.csv", 3, "age"),
    Plant("C021", cell("outcomes", 3, "time", "1,5"), "outcomes.csv", 3, "time"),
    Plant("C022", cell("outcomes", 3, "time", "inf"), "outcomes.csv", 3, "time"),
    Plant("C023", cell("outcomes", 4, "time", "2019-03-04"), "outcomes.csv", 4, "time"),
    Plant("C023", cell("exams", 4, "day", "20190304"), "exams.csv", 4, "day"),
    Plant("C023", cell("texts", 4, "day", "4.3.2019"), "texts.csv", 4, "day"),
    Plant("C024", cell("outcomes", 4, "time", ""), "outcomes.csv", 4, "time"),
    Plant("C025", cell("images", 4, "side", "left"), "images.csv", 4, "side"),
    Plant("C025", cell("images", 4, "view", "ML"), "images.csv", 4, "view"),
    Plant("C026", events(1, 2, 2, 1), "outcomes.csv", None, "event"),
    Plant("C027", cell("outcomes", 5, "event", 3), "outcomes.csv", 5, "event"),
    Plant("C027", cell("outcomes", 5, "event", 0.5), "outcomes.csv", 5, "event"),
    Plant("C028", cell("outcomes", 5, "endpoint", "relapse"), "outcomes.csv", 5, "endpoint"),
    Plant("C029", setting("endpoints", "os", value={}), "cohort.yaml", None, "os"),
    Plant("C031", cell("outcomes", 2, "time", -3), "outcomes.csv", 2, "time", ("C034",) * 3),
    Plant("C031", cell("outcomes", 2, "time", 0), "outcomes.csv", 2, "time", ("C034",) * 2),
    Plant(
        "C032",
        every("outcomes", "entry", lambda n: 910 if n == 0 else 5),
        "outcomes.csv",
        2,
        "entry",
    ),
    Plant("C033", cell("outcomes", 4, "patient_id", "P0"), "outcomes.csv", 4, "patient_id"),
    Plant("C034", cell("outcomes", 2, "time", 400), "exams.csv", 4, "day"),
    Plant("C035", cell("texts", 3, "available_day", 300), "texts.csv", 3, "available_day"),
    Plant("C036", short_followup, "outcomes.csv", None, "time"),
    Plant("C041", on_disk(lambda f: (f / "dicom/P0-E0-LCC.dcm").unlink()), "images.csv", 2, "path"),
    Plant("C042", on_disk(linked_out), "images.csv", 2, "path"),
    Plant("C042", on_disk(folder_linked_out), "images.csv", 2, "path", ("C042",) * 47),
    Plant("C042", cell("images", 3, "path", "../x.dcm"), "images.csv", 3, "path"),
    Plant("C042", cell("images", 3, "path", "/etc/hostname"), "images.csv", 3, "path"),
    Plant(
        "C042",
        setting("tables", "texts", "file", value="../texts.csv"),
        "cohort.yaml",
        None,
        "tables.texts.file",
    ),
    Plant("C043", cell("images", 3, "path", "dicom/P0-E0-LCC.dcm"), "images.csv", 3, "path"),
    Plant("C051", every("patients", "shoe_size", lambda n: n), "patients.csv", None, "shoe_size"),
    Plant("C052", cell("patients", 3, "grade", "4"), "patients.csv", 3, "grade"),
    Plant("C053", every("patients", "age", lambda n: ""), "patients.csv", None, "age"),
    Plant(
        "C054",
        setting("clinical", "grade", value={"kind": "ordinal"}),
        "cohort.yaml",
        None,
        "grade",
    ),
    Plant(
        "C055",
        setting("clinical", "grade", value={"kind": "binary"}),
        "patients.csv",
        3,
        "grade",
        ("C055",),
    ),
]
PLANTS += [
    Plant(
        "C009",
        lambda tables, manifest: manifest["tables"].pop("exams"),
        "cohort.yaml",
        None,
        "tables",
        ("C015",) * 12,
    ),
    Plant(
        "C020", setting("tables", "exam", value={"file": "x.csv"}), "cohort.yaml", None, "tables"
    ),
    Plant(
        "C009",
        lambda tables, manifest: manifest["tables"].pop("outcomes"),
        "cohort.yaml",
        None,
        "tables",
    ),
]


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


def test_tables_of_other_rooms_are_no_fault(write: Any, tables: Any, manifest: Any) -> None:
    manifest["tables"]["slides"] = {"file": "slides.csv"}
    assert check_cohort(write(tables, manifest)) == []


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
