"""What `explain` writes of patients who are seen once, and that nobody is named in it."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import yaml
from tumours import CONFIGURATION

from sequela.cli.main import app
from sequela.errors import DataError
from sequela.interpretation.explain import FILE_NAME, explain, furthest_off
from sequela.interpretation.explain_patients import ATTENTION
from sequela.report import write_report
from sequela.report.patient_page import write_patient_pages
from sequela.training.checkpoint import read_tensors, write_tensors
from sequela.training.configuration import ExplainSettings
from sequela.training.prediction import load_trained
from sequela.training.project import Fold, Project
from sequela.training.run import Run
from sequela.training.supervision import train


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


def test_the_report_links_to_the_pages_from_wherever_it_stands(
    explained: Path, tmp_path: Path
) -> None:
    shutil.copytree(explained, tmp_path / "work" / "explanations")
    write_patient_pages(tmp_path / "work" / "explanations", "tumours", synthetic=True)
    (tmp_path / "work" / "evaluation.json").write_text('{"models": []}')
    for out, link in (
        (tmp_path / "work" / "report.html", "explanations/patient-1.html"),
        (tmp_path / "else" / "where.html", "../work/explanations/patient-1.html"),
    ):
        text = write_report(tmp_path / "work", out).read_text()
        assert f'<a href="{link}">Patient 1</a>' in text
        assert (out.parent / link).resolve().is_file()
        assert "What deleting what claims look at does to the risk" in text


def test_a_rival_is_explained_by_its_modalities_alone(tumours: Project, tmp_path: Path) -> None:
    run = train(tumours, "snn", Fold())
    folder = explain(run, tumours, folder=tmp_path / "explanations")
    found = json.loads((folder / FILE_NAME).read_text())
    assert [[name for name, _ in one["shapley"]["weights"]] for one in found["patients"]] == [
        ["genes"] for _ in found["patients"]
    ]
    assert furthest_off(found)["shapley"] < 1e-9
    assert [one["claims"] for one in found["patients"]] == [[], [], []]
    assert found["checks"] == {"deletion": []}
    (page, *_) = write_patient_pages(folder, "tumours", synthetic=True)
    assert "No claim of background knowledge asked anything" in page.read_text()


def test_the_command_explains_kemm_where_it_is_configured(tumours: Project, kemm: Run) -> None:
    assert kemm.finished
    less = CONFIGURATION.evolve(explain=ExplainSettings(patients=1, checked=1))
    file = tumours.cohort.folder / "kemm.yaml"
    file.write_text(yaml.safe_dump(less.as_values()))
    app(args=["explain", str(tumours.cohort.folder), "--config", str(file)], standalone_mode=False)
    assert (tumours.work / "explanations" / "patient-1.html").is_file()


def test_weights_of_another_drawing_are_refused_with_what_to_do(
    tumours: Project, kemm: Run, tmp_path: Path
) -> None:
    """As those of an earlier version are."""
    shutil.copytree(kemm.folder, tmp_path / "kemm")
    run = Run(tmp_path / "kemm")
    tensors, metadata = read_tensors(run.checkpoint)
    name = max(tensors)
    write_tensors(run.checkpoint, {**tensors, f"{name}.old": tensors[name]}, metadata)
    with pytest.raises(DataError, match="trained by another version of Sequela"):
        load_trained(run)
