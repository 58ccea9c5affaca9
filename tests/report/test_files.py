"""What stands beside the page: tables, figures, the checklist and the model card."""

from __future__ import annotations

import csv
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from sequela.evaluation.contradictions import Assumptions
from sequela.evaluation.published_table import read_published_table
from sequela.evaluation.table_lint import lint_table
from sequela.report.evidence import Evidence, gather
from sequela.report.files import write_report_and_files
from sequela.report.results import read_results
from sequela.report.tripod import NOT_AVAILABLE, checklist, checklist_table


@pytest.fixture(scope="module")
def beside(written: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("beside") / "report.html"
    paths = write_report_and_files(written.parent, out)
    assert paths[0] == out and all(path.is_file() for path in paths)
    return out.parent


def test_every_table_stands_in_three_forms(beside: Path) -> None:
    names = sorted(path.name for path in (beside / "tables").iterdir())
    stems = {name.partition(".")[0] for name in names}
    assert {"table-performance", "table-risk-groups", "tripod-ai"} <= stems
    assert names == sorted(f"{stem}.{form}" for stem in stems for form in ("md", "tex", "csv"))


def test_the_performance_table_is_that_of_the_evaluation(beside: Path, written: Path) -> None:
    results = read_results(gather(written.parent).evaluation)
    with (beside / "tables" / "table-performance.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["model"] for row in rows] == [one.label for one in results]
    for row, one in zip(rows, results, strict=True):
        value = one.metrics["auc"].value
        assert row["auc"] == ("" if value is None else str(value))
        assert value is not None or row["auc_reason"] == one.metrics["auc"].reason


def test_our_own_performance_table_can_be_linted(beside: Path) -> None:
    table = read_published_table(beside / "tables" / "table-performance.csv")
    assert {"auc", "hazard_ratio", "wald_p"} <= set(table.columns)
    assert table.unread == ()
    found = lint_table(table, Assumptions(wald=False))
    assert not {"L001", "L002", "L003"} & {one.code for one in found.found}


def test_every_figure_is_an_svg_that_needs_no_page(beside: Path) -> None:
    figures = sorted((beside / "figures").iterdir())
    kinds = {figure.name.partition("-")[0] for figure in figures}
    assert {"cohort", "survival", "calibration", "net"} <= kinds
    for figure in figures:
        text = figure.read_text(encoding="utf-8")
        root = ET.fromstring(text)
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert float(root.attrib["width"]) > 100 and float(root.attrib["height"]) > 100
        assert "var(--" not in text


def test_the_model_card_has_its_headings(beside: Path) -> None:
    card = (beside / "model-card.md").read_text(encoding="utf-8")
    for heading in ("Intended use", "Data", "Training", "Evaluation", "Limitations"):
        assert f"\n## {heading}\n" in card
    assert "not a medical device" in card


def test_the_checklist_has_27_items_and_says_what_is_not_available(work: Path) -> None:
    evidence = gather(work)
    items = checklist(evidence, read_results(evidence.evaluation))
    assert [item.number for item in items] == list(range(1, 28))
    assert len({item.topic for item in items}) >= 26
    missing = {item.topic for item in items if not item.available}
    assert {"Abstract", "Ethical approval", "Patients and public", "Interpretation"} <= missing
    table = checklist_table(items)
    assert sum(row[-1] == NOT_AVAILABLE for row in table.rows) == len(missing)


def test_an_evaluation_alone_fills_less_of_the_checklist(work: Path) -> None:
    whole = gather(work)
    alone = Evidence(folder=work, evaluation=whole.evaluation)
    results = read_results(whole.evaluation)
    few = [item for item in checklist(alone, results) if item.available]
    assert 0 < len(few) < len([item for item in checklist(whole, results) if item.available])
    assert "Runs:" not in "".join(item.filled for item in few)
    nothing = checklist(Evidence(folder=work, evaluation={"models": []}), [])
    assert [item.topic for item in nothing if item.available] == [
        *("Openness", "Limitations", "Usability")
    ]
