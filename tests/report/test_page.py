from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sequela.errors import DataError
from sequela.report import write_report
from sequela.report.estimates import printed
from sequela.report.page import METRICS, PROBABILITY_METRICS

Reader = Callable[[Path], Any]


def test_every_number_of_the_tables_is_the_one_in_the_json(work: Path, page: Any) -> None:
    models = json.loads((work / "evaluation.json").read_text())["models"]
    styles = {key: style for key, _, style in METRICS + PROBABILITY_METRICS}
    checked = 0
    for model in models:
        for cell in [
            cell for row in page.every("tr", data_model=model["name"]) for cell in row.every("td")
        ]:
            metric = cell.attributes.get("data-metric", "")
            if metric not in model["metrics"]:
                continue
            node = model["metrics"][metric]
            if node["value"] is None:
                assert cell.text.startswith("undefined")
                continue
            (number,) = cell.every("data")
            (interval,) = cell.every("span")
            assert float(number.attributes["value"]) == node["value"]
            assert number.text == printed(node["value"], styles[metric])
            ends = [printed(node[end], styles[metric]) for end in ("low", "high")]
            assert interval.text == "–".join(ends)
            checked += 1
    assert checked == len(models) * 11 - 1


def test_the_risk_groups_numbers_are_those_of_the_json(work: Path, page: Any) -> None:
    for model in json.loads((work / "evaluation.json").read_text())["models"]:
        groups = model["risk_groups"]
        if groups["reason"]:
            continue
        row = page.every("tr", data_model=model["name"])[0]
        shown = {
            key: float(row.every("td", data_metric=key)[0].every("data")[0].attributes["value"])
            for key in ("hazard_ratio", "log_rank_p", "wald_p")
        }
        assert shown == {
            "hazard_ratio": groups["hazard_ratio"]["value"],
            "log_rank_p": groups["log_rank"]["p"],
            "wald_p": groups["hazard_ratio"]["p"],
        }
        for counts in groups["horizon_table"]["rows"]:
            (line,) = page.every("tr", data_model=model["name"], data_group=counts["name"])
            cells = [cell.text.split()[0] for cell in line.every("td")]
            keys = ("event", "event_free", "competing", "excluded")
            assert cells[:4] == [str(counts[key]) for key in keys]


def test_every_difference_is_the_one_in_the_json(work: Path, page: Any) -> None:
    (comparison,) = json.loads((work / "evaluation.json").read_text())["comparisons"]
    cells = [cell for cell in page.every("td") if "data-row" in cell.attributes]
    shown = {
        (cell.attributes["data-row"], cell.attributes["data-column"]): float(
            cell.every("data")[0].attributes["value"]
        )
        for cell in cells
    }
    assert len(shown) == len(comparison["differences"]) > 0
    for one in comparison["differences"]:
        first, second, value = one["first"], one["second"], one["difference"]["value"]
        assert shown.get((first, second)) == value or shown.get((second, first)) == -value


def test_an_undefined_number_says_why_on_hover_and_in_a_note(page: Any) -> None:
    row = page.every("tr", data_model="kaplan-meier")[0]
    (cell,) = row.every("td", data_metric="hazard_ratio")
    (word,) = cell.every("span")
    (link,) = cell.every("a")
    note = link.attributes["href"].removeprefix("#")
    assert word.text == "undefined"
    assert word.attributes["title"] == "all patients have the same risk"
    assert [item.text for item in page.every("li", id=note)] == ["all patients have the same risk"]


def test_nothing_is_asked_of_the_network(written: Path, page: Any) -> None:
    loads = [
        value
        for element in page.walk()
        for name, value in element.attributes.items()
        if name in {"src", "srcset", "href", "action", "data", "poster"}
    ]
    assert loads
    assert all(value.startswith(("#", "data:")) for value in loads)
    assert not re.search(r"@import|url\((?!#|data:)|<script|https?://", written.read_text())


def test_the_same_evidence_gives_the_same_bytes(work: Path, written: Path) -> None:
    assert write_report(work, work / "again.html").read_bytes() == written.read_bytes()


def test_hostile_text_stays_text(work: Path, read_page: Reader) -> None:
    path = work / "evaluation.json"
    hostile = '"><script>alert(1)</script><img src=x onerror=alert(1)>&'
    document = json.loads(path.read_text())
    document["models"][0]["metrics"]["auc"] = {"value": None, "reason": hostile}
    for key in ("name", "variant", "endpoint", "definition"):
        document["models"][0][key] = hostile
    path.write_text(json.dumps(document))
    page = read_page(write_report(work, work / "report.html"))
    assert not page.every("script")
    assert not [image for image in page.every("img") if "onerror" in image.attributes]
    assert [span.text for span in page.every("span", title=hostile)] == ["undefined"]


def test_ids_are_unique_and_every_reference_leads_somewhere(page: Any) -> None:
    ids = [element.attributes["id"] for element in page.walk() if "id" in element.attributes]
    assert len(ids) == len(set(ids))
    for element in page.walk():
        for name, value in element.attributes.items():
            if name == "href" and value.startswith("#"):
                assert value[1:] in ids
            for target in re.findall(r"url\(#([^)]*)\)", value):
                assert target in ids


def test_the_file_is_small(written: Path) -> None:
    assert written.stat().st_size < 400_000


def test_no_plot_is_large(page: Any, written: Path) -> None:
    plots = re.findall(r'<svg class="plot".*?</svg>', written.read_text(), flags=re.DOTALL)
    assert len(plots) == len(page.every("svg", **{"class": "plot"})) > 10
    assert max(map(len, plots)) < 19_000


def test_every_picture_has_words(page: Any) -> None:
    for drawing in page.every("svg"):
        assert drawing.attributes["role"] == "img"
        assert len(drawing.attributes["aria-label"]) > 20
    assert all("alt" in image.attributes for image in page.every("img"))


def test_the_page_names_no_patient(written: Path, work: Path) -> None:
    text = written.read_text()
    ids = {line.split(",")[0] for line in (work / "splits.csv").read_text().splitlines()[1:]}
    assert len(ids) == 400
    assert not ids & set(re.findall(r"\w+", text))
    assert str(work) not in text


def test_a_folder_with_numbers_alone_still_gives_a_page(tmp_path: Path, read_page: Reader) -> None:
    (tmp_path / "evaluation.json").write_text(json.dumps({"models": [], "comparisons": []}))
    page = read_page(write_report(tmp_path, tmp_path / "report.html"))
    assert "nothing was evaluated" in page.every("section", id="summary")[0].text.lower()


def test_a_folder_without_an_evaluation_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no evaluation\.json"):
        write_report(tmp_path, tmp_path / "report.html")


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
