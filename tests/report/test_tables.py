"""What a table says in Markdown, LaTeX and CSV is the same, whatever stands in its cells."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from sequela.report.estimates import Estimate
from sequela.report.tables import Column, Table

WORDS = st.text(
    st.characters(codec="utf-8", exclude_categories=("C", "Z")) | st.sampled_from(" |\\_*`<&%$#[]"),
    min_size=1,
    max_size=12,
).map(str.strip)
PERFORMANCE = Table(
    "performance",
    "Discrimination on 120 patients",
    (Column("Model"), Column("AUC", style="number"), Column("Change", "change", "number", True)),
    (
        ("lumin_m & co", Estimate(0.71236, 0.62, 0.80), -0.0126),
        ("st-r", Estimate(None, reason="nobody had the event"), 0.0251),
        ("none", None, Estimate(None, reason="nobody had the event")),
    ),
    ("Intervals by 1,000 bootstraps.",),
)


def one_cell(text: str) -> Table:
    return Table("one", "One cell", (Column("Heading"),), ((text,),))


def seen_in_markdown(source: str) -> list[str]:
    """The cells that a reader sees, header first, by an independent parser."""
    html = MarkdownIt("commonmark", {"html": False}).enable("table").render(source)
    found = re.findall(r"<t[hd](?: [^>]*)?>(.*?)</t[hd]>", html, re.DOTALL)
    for name, sign in (("lt", "<"), ("gt", ">"), ("quot", '"'), ("amp", "&")):
        found = [cell.replace(f"&{name};", sign) for cell in found]
    return found


def seen_in_latex(source: str) -> list[list[str]]:
    body = source[source.index("\\midrule") : source.index("\\bottomrule")].splitlines()[1:]
    rows = [re.split(r"(?<!\\)&", line.removesuffix(" \\\\")) for line in body]
    return [[cell.strip() for cell in row] for row in rows]


@given(WORDS.filter(bool))
def test_markdown_shows_a_cell_as_it_was_written(text: str) -> None:
    heading, cell = seen_in_markdown(one_cell(text).markdown())
    assert heading == "Heading"
    assert cell == text.replace("\u00a0", " ")


@given(WORDS.filter(bool))
def test_csv_gives_a_cell_back(text: str) -> None:
    assert list(csv.reader(io.StringIO(one_cell(text).csv()))) == [["heading"], [text]]


@given(WORDS.filter(bool))
def test_latex_leaves_no_sign_that_would_act(text: str) -> None:
    ((cell,),) = seen_in_latex(one_cell(text).latex())
    known = r"\\text\w+\{\}|\\[&%$#_{}]|\{[\[\]]\}|\$(?:[<>-]|\\\w+)\$|\\,"
    assert not set(re.sub(known, "", cell)) & set("\\&%$#_{}^~")


def test_a_reader_sees_rounded_numbers_with_intervals_and_reasons() -> None:
    page = PERFORMANCE.markdown()
    assert "| lumin_m & co | 0.712 (0.620 to 0.800) | −0.013 |" in page
    assert "| st-r | undefined<sup>1</sup> | +0.025 |" in page
    assert page.endswith("<sup>1</sup> nobody had the event\n")
    assert page.count("nobody had the event") == 1


def test_latex_has_a_cell_a_column_and_the_numbers_of_markdown() -> None:
    rows = seen_in_latex(PERFORMANCE.latex())
    assert rows[0] == [r"lumin\_m \& co", "0.712 (0.620 to 0.800)", "$-$0.013"]
    assert rows[1][1] == r"undefined\textsuperscript{1}"
    assert {len(row) for row in rows} == {3}
    assert r"\begin{tabular}{lrr}" in PERFORMANCE.latex()


def test_a_program_reads_unrounded_numbers_and_columns_that_are_used() -> None:
    rows = list(csv.DictReader(io.StringIO(PERFORMANCE.csv())))
    assert list(rows[0]) == [
        *("model", "auc", "auc_low", "auc_high", "auc_reason", "change", "change_reason")
    ]
    assert float(rows[0]["auc"]) == 0.71236
    assert rows[1]["auc"] == "" and rows[1]["auc_reason"] == "nobody had the event"
    assert rows[2]["auc"] == rows[2]["auc_reason"] == ""


def test_a_table_is_written_in_its_three_forms(tmp_path: Path) -> None:
    files = PERFORMANCE.write(tmp_path / "tables")
    assert [file.name for file in files] == ["performance.md", "performance.tex", "performance.csv"]
    assert files[2].read_text(encoding="utf-8") == PERFORMANCE.csv()
