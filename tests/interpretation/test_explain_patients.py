"""What `explain` writes of patients who are seen once, and that nobody is named in it."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from sequela.interpretation.explain import FILE_NAME, explain, furthest_off
from sequela.interpretation.explain_patients import ATTENTION
from sequela.report.patient_page import write_patient_pages
from sequela.training.configuration import ExplainSettings
from sequela.training.project import Project
from sequela.training.run import Run


@pytest.fixture(scope="module")
def explained(tumours: Project, kemm: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return explain(kemm, tumours, folder=tmp_path_factory.mktemp("explained") / "explanations")


def test_nobody_is_named_but_slides_in_the_maps(explained: Path, tumours: Project) -> None:
    text = (explained / FILE_NAME).read_text()
    assert "SYN-" not in text
    assert not [path.name for path in explained.iterdir() if "SYN" in path.name]
    table = pl.read_parquet(explained / ATTENTION)
    assert set(table["slide"].drop_nulls().str.slice(0, 4)) == {"SYN-"}
    assert "patient_id" not in table.columns


def test_each_map_has_a_row_a_patch_or_set_and_sums_to_one(explained: Path) -> None:
    table = pl.read_parquet(explained / ATTENTION)
    sums = table.group_by("patient", "claim", "source").agg(pl.col("weight").sum(), pl.len())
    np.testing.assert_allclose(sums["weight"], 1, atol=1e-5)
    assert set(sums.filter(source="slide")["len"]) == {20}
    assert set(sums.filter(source="genes")["len"]) == {6}
    patches = table.filter(source="slide")
    assert patches["x"].null_count() == patches["slide"].null_count() == 0
    assert patches["gene_set"].null_count() == len(patches)
    assert table.filter(source="genes")["gene_set"].null_count() == 0


def test_the_shown_patches_and_sets_are_those_of_the_table(explained: Path) -> None:
    found = json.loads((explained / FILE_NAME).read_text())
    table = pl.read_parquet(explained / ATTENTION)
    seen = 0
    for number, patient in enumerate(found["patients"], start=1):
        for claim in patient["claims"]:
            rows = table.filter(patient=number, claim=claim["id"], source=claim["source"])
            most = rows.sort("weight", descending=True).row(0, named=True)
            top = claim["patches"][0] if claim["source"] == "slide" else claim["sets"][0]
            if claim["source"] == "slide":
                assert (top["x"], top["y"]) == (most["x"], most["y"])
            else:
                assert top[0] == most["gene_set"]
            seen += 1
    assert seen > 10


def test_what_modalities_moved_sums_and_a_missing_one_is_no_player(explained: Path) -> None:
    found = json.loads((explained / FILE_NAME).read_text())
    assert furthest_off(found)["shapley"] < 1e-9
    for patient in found["patients"]:
        there = [one["name"] for one in patient["modalities"] if one["known"]]
        assert [name for name, _ in patient["shapley"]["weights"]] == there


def test_the_checks_have_every_order_and_control(explained: Path) -> None:
    checks = json.loads((explained / FILE_NAME).read_text())["checks"]
    assert {one["source"] for one in checks["deletion"]} == {"slide", "genes"}
    assert [one["name"] for one in checks["pointing"]] == [
        "as trained",
        "weights shuffled",
        "chance",
    ]


def test_a_page_a_patient_that_asks_the_network_for_nothing(explained: Path) -> None:
    pages = write_patient_pages(explained, "tumours & more", synthetic=True)
    assert [page.name for page in pages] == [f"patient-{number}.html" for number in (1, 2, 3)]
    found = json.loads((explained / FILE_NAME).read_text())
    for page, patient in zip(pages, found["patients"], strict=True):
        text = page.read_text()
        assert "tumours &amp; more" in text
        assert not re.search(r"(src|href)=\"(?!data:|#)", text)
        assert text.count('<article class="claim">') == len(patient["claims"])
        for one in patient["report"]["fields"]:
            assert f"“{one['words']}”" in text
        assert text.count('<mark class="evidence"') == sum(
            bool(labels) for _, labels in patient["report"]["text"]
        )


def test_reports_are_kept_back_where_they_must_be(
    tumours: Project, kemm: Run, tmp_path: Path
) -> None:
    less = tumours.configuration.evolve(explain=ExplainSettings(patients=3, checked=1))
    project = replace(tumours, configuration=less)
    folder = explain(kemm, project, show_texts=False, folder=tmp_path / "explanations")
    found = json.loads((folder / FILE_NAME).read_text())
    reports = [patient["report"] for patient in found["patients"]]
    assert all(report["text"] == [] for report in reports)
    assert any(report["withheld"] for report in reports)
    assert not [field for report in reports for field in report["fields"] if field["words"]]
    pages = write_patient_pages(folder, "tumours", synthetic=False)
    assert not [page for page in pages if "FINAL DIAGNOSIS" in page.read_text()]
