from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sequela.errors import DataError
from sequela.report import write_report
from sequela.report.estimates import printed
from sequela.report.page import METRICS

Reader = Callable[[Path], Any]


def test_every_number_of_the_table_is_the_one_in_the_json(work: Path, read_page: Reader) -> None:
    page = read_page(write_report(work, work / "report.html"))
    models = json.loads((work / "evaluation.json").read_text())["models"]
    checked = 0
    for model in models:
        (row,) = page.every("tr", data_model=model["variant"])
        for cell in row.every("td"):
            node = model["metrics"][cell.attributes["data-metric"]]
            if "undefined" in node:
                assert cell.text.startswith("undefined")
            else:
                (number,) = cell.every("data")
                assert float(number.attributes["value"]) == node["value"]
                style = {key: style for key, _, style in METRICS}[cell.attributes["data-metric"]]
                assert number.text == printed(node["value"], style)
                checked += 1
    assert checked == len(models) * 7 - 3


def test_an_undefined_number_says_why_on_hover_and_in_a_note(work: Path, read_page: Reader) -> None:
    page = read_page(write_report(work, work / "report.html"))
    (row,) = page.every("tr", data_model="kaplan-meier")
    (cell,) = row.every("td", data_metric="hazard_ratio")
    (word,) = cell.every("span")
    (link,) = cell.every("a")
    note = link.attributes["href"].removeprefix("#")
    assert word.text == "undefined"
    assert word.attributes["title"] == "all patients have the same risk"
    assert [item.text for item in page.every("li", id=note)] == ["all patients have the same risk"]


def test_nothing_is_asked_of_the_network(work: Path, read_page: Reader) -> None:
    path = write_report(work, work / "report.html")
    loads = [
        value
        for element in read_page(path).walk()
        for name, value in element.attributes.items()
        if name in {"src", "srcset", "href", "action", "data", "poster"}
    ]
    assert loads
    assert all(value.startswith(("#", "data:")) for value in loads)
    assert not re.search(r"@import|url\((?!#|data:)|<script|https?://", path.read_text())


def test_the_same_evidence_gives_the_same_bytes(work: Path) -> None:
    first = write_report(work, work / "first.html").read_bytes()
    assert write_report(work, work / "second.html").read_bytes() == first


def test_hostile_text_stays_text(work: Path, read_page: Reader) -> None:
    path = work / "evaluation.json"
    hostile = '"><script>alert(1)</script><img src=x onerror=alert(1)>&'
    document = json.loads(path.read_text())
    document["models"][0]["variant"] = hostile
    document["models"][0]["metrics"]["auc"] = {"undefined": hostile}
    path.write_text(json.dumps(document))
    page = read_page(write_report(work, work / "report.html"))
    assert not page.every("script") + page.every("img")
    assert [span.text for span in page.every("span", title=hostile)] == ["undefined"]


def test_ids_are_unique_and_every_reference_leads_somewhere(work: Path, read_page: Reader) -> None:
    page = read_page(write_report(work, work / "report.html"))
    ids = [element.attributes["id"] for element in page.walk() if "id" in element.attributes]
    assert len(ids) == len(set(ids))
    for element in page.walk():
        for name, value in element.attributes.items():
            if name == "href" and value.startswith("#"):
                assert value[1:] in ids
            for target in re.findall(r"url\(#([^)]*)\)", value):
                assert target in ids


def test_the_file_is_small(work: Path) -> None:
    assert write_report(work, work / "report.html").stat().st_size < 300_000


def test_a_folder_without_an_evaluation_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no evaluation\.json"):
        write_report(tmp_path, tmp_path / "report.html")


def test_the_report_needs_no_torch() -> None:
    code = "import sys, sequela.report; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("value", "style", "signed", "text"),
    [
        (0.71249, "number", False, "0.712"),
        (-0.0321, "number", True, "−0.032"),
        (0.0321, "number", True, "+0.032"),
        (-0.0001, "number", True, "0.000"),
        (0.00049, "p", False, "< 0.001"),
        (0.34, "percent", False, "34%"),
        (12345, "count", False, "12\u202f345"),
        (3.2111, "ratio", False, "3.21"),
    ],
)
def test_printed_numbers(value: float, style: str, signed: bool, text: str) -> None:
    assert printed(value, style, signed=signed) == text
