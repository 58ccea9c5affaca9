"""A table of results as Markdown, LaTeX and CSV."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sequela.report.estimates import Estimate, Footnotes, printed
from sequela.storage import write_text

Cell = str | int | float | Estimate | None

_NOTHING = "–"
_MARKDOWN = re.compile(
    r"([\\|`*\[\]]|<(?=[A-Za-z/!?])|&(?=#?\w+;)|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9]))"
)
_LATEX = {
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": "$<$",
    ">": "$>$",
    "−": "$-$",
    "±": r"$\pm$",
    "×": r"$\times$",
    "≥": r"$\geq$",
    "≤": r"$\leq$",
    "≠": r"$\neq$",
    "–": "--",
    "—": "---",
    "’": "'",
    "“": "``",
    "”": "''",
    "\u202f": r"\,",
    "\u00a0": "~",
    "[": "{[}",  # at the start of a row, LaTeX would read an option of the line break before it
    "]": "{]}",
    "\n": " ",
}


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        heading: What Markdown and LaTeX print over it.
        key: What CSV calls it; the heading in lower case where empty.
        style: `text`, or how `printed` writes its numbers: `number`, `ratio`, `percent`, `count`,
            `p`.
        signed: Whether a positive number shows its sign.
    """

    heading: str
    key: str = ""
    style: str = "text"
    signed: bool = False

    @property
    def name(self) -> str:
        """The column's name in CSV."""
        return self.key or re.sub(r"\W+", "_", self.heading.lower()).strip("_")


@dataclass(frozen=True)
class Table:
    """A results table: for a reader rounded, for a program in full.

    Attributes:
        name: Of its files, and of its LaTeX label.
        caption: What it shows, in a sentence.
        columns: In order.
        rows: A cell a column: text, a number, an `Estimate`, or None where there is nothing.
        notes: Sentences under it; reasons of undefined numbers are added to them.
    """

    name: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()

    def markdown(self) -> str:
        """The table as GitHub-flavoured Markdown, numbers to the right, reasons below."""
        heads, rows, reasons = self._text(as_markdown, lambda number: f"<sup>{number}</sup>")
        rule = ["---" if column.style == "text" else "---:" for column in self.columns]
        lines = [f"| {' | '.join(cells)} |" for cells in (heads, rule, *rows)]
        notes = [
            *(as_markdown(note) for note in self.notes),
            *(f"<sup>{row}</sup> {as_markdown(reason)}" for row, reason in enumerate(reasons, 1)),
        ]
        return "\n\n".join([f"**{as_markdown(self.caption)}**", "\n".join(lines), *notes]) + "\n"

    def latex(self) -> str:
        """The table as a LaTeX `table`, for a preamble with the package booktabs."""
        heads, rows, reasons = self._text(_latex, lambda number: f"\\textsuperscript{{{number}}}")
        kinds = "".join("l" if column.style == "text" else "r" for column in self.columns)
        notes = [
            *(_latex(note) for note in self.notes),
            *(
                f"\\textsuperscript{{{row}}} {_latex(reason)}"
                for row, reason in enumerate(reasons, 1)
            ),
        ]
        lines = [
            r"\begin{table}",
            r"\centering",
            f"\\caption{{{_latex(self.caption)}}}",
            f"\\label{{tab:{re.sub(r'[^A-Za-z0-9-]', '-', self.name)}}}",
            f"\\begin{{tabular}}{{{kinds}}}",
            r"\toprule",
            f"{' & '.join(heads)} \\\\",
            r"\midrule",
            *(f"{' & '.join(cells)} \\\\" for cells in rows),
            r"\bottomrule",
            r"\end{tabular}",
            *(f"\\par\\smallskip\\footnotesize {note}" for note in notes),
            r"\end{table}",
        ]
        return "\n".join(lines) + "\n"

    def csv(self) -> str:
        """The table as CSV: unrounded, an interval as columns `…_low` and `…_high`.

        Where a number is undefined its cell is empty and `…_reason` says why.
        """
        parts = [_spread(column, cells) for column, cells in self._by_column()]
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow([name for part in parts for name in part])
        for row in range(len(self.rows)):
            writer.writerow([cells[row] for part in parts for cells in part.values()])
        return text.getvalue()

    def write(self, folder: Path) -> tuple[Path, ...]:
        """Write `NAME.md`, `NAME.tex` and `NAME.csv` into a folder."""
        forms = {"md": self.markdown(), "tex": self.latex(), "csv": self.csv()}
        for ending, text in forms.items():
            write_text(folder / f"{self.name}.{ending}", text)
        return tuple(folder / f"{self.name}.{ending}" for ending in forms)

    def _by_column(self) -> list[tuple[Column, list[Cell]]]:
        return [
            (column, [row[number] for row in self.rows])
            for number, column in enumerate(self.columns)
        ]

    def _text(
        self, escaped: Callable[[str], str], mark: Callable[[int], str]
    ) -> tuple[list[str], list[list[str]], list[str]]:
        """Headings, cells, and the reasons to which the cells refer by number."""
        notes = Footnotes(self.name)

        def text(column: Column, cell: Cell) -> str:
            if isinstance(cell, Estimate) and cell.reason:
                return escaped(_shown(column, cell)) + mark(notes.number(cell.reason))
            return escaped(_shown(column, cell))

        heads = [escaped(column.heading) for column in self.columns]
        rows = [
            [text(column, cell) for column, cell in zip(self.columns, row, strict=True)]
            for row in self.rows
        ]
        return heads, rows, notes.reasons


def _shown(column: Column, cell: Cell) -> str:
    """A cell as a reader sees it, its reason apart."""
    match cell:
        case None:
            return _NOTHING
        case str():
            return cell
        case Estimate(value=None):
            return "undefined"
        case Estimate():
            value, *ends = (
                printed(number, column.style, signed=column.signed)
                for number in (cell.value, cell.low, cell.high)
                if number is not None
            )
            return f"{value} ({' to '.join(ends)})" if len(ends) == 2 else value
    return printed(cell, column.style, signed=column.signed)


def _spread(column: Column, cells: Sequence[Cell]) -> dict[str, list[str]]:
    """A column as CSV has it: itself, and the ends and reasons that any of its cells has."""
    numbers = [cell if isinstance(cell, Estimate) else Estimate(None, reason="") for cell in cells]
    values = [cell.value if isinstance(cell, Estimate) else cell for cell in cells]
    parts = {
        "": [_plain(value) for value in values],
        "_low": [_plain(number.low) for number in numbers],
        "_high": [_plain(number.high) for number in numbers],
        "_reason": [number.reason for number in numbers],
    }
    kept = {part: found for part, found in parts.items() if any(found) or not part}
    return {f"{column.name}{part}": found for part, found in kept.items()}


def _plain(value: Cell) -> str:
    return "" if value is None else str(value)


def as_markdown(text: str) -> str:
    """Text on one line in which no sign acts as Markdown."""
    return _MARKDOWN.sub(r"\\\1", " ".join(text.splitlines()))


def _latex(text: str) -> str:
    return "".join(_LATEX.get(sign, sign) for sign in text)
