"""A published results table, read from CSV: which column is which, and each cell as printed."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from sequela.errors import DataError, UsageError
from sequela.evaluation.printed_numbers import Printed, Span, read_cell
from sequela.redaction import headings

PROPORTIONS = {
    "accuracy": ("acc",),
    "auc": ("auroc", "roc_auc", "auc_roc"),
    "sensitivity": ("sens", "recall", "tpr", "true_positive_rate"),
    "specificity": ("spec", "tnr", "true_negative_rate"),
    "ppv": ("precision", "positive_predictive_value"),
    "npv": ("negative_predictive_value",),
    "f1": ("f1_score", "f1score"),
    "balanced_accuracy": ("bacc", "balanced_acc"),
    "c_index": ("c", "cindex", "concordance", "harrell_c", "harrells_c", "uno_c", "unos_c"),
    "prevalence": (),
}
RATIOS = {
    "hazard_ratio": ("hr",),
    "odds_ratio": ("or",),
    "risk_ratio": ("rr", "relative_risk"),
}
P_VALUES = {
    "p": ("p_value", "pvalue", "p_val"),
    "wald_p": ("p_wald",),
    "log_rank_p": ("p_log_rank", "logrank_p", "p_logrank"),
}
COUNTS = {
    "patients": ("n", "subjects", "test_patients", "total"),
    "events": ("n_events", "cases", "positives"),
}
NAMES = {**PROPORTIONS, **RATIOS, **P_VALUES, **COUNTS}
"""Columns that are read, and what else a header may call them."""
_ENDS = {"low": ("low", "lower", "lo", "lcl"), "high": ("high", "upper", "hi", "ucl")}
_NO_SHARE = 1.5
_EMPTY = {"", "-", "–", "—", "na", "n/a", "nan", "none", "ns", "nr", "undefined", "."}


@dataclass(frozen=True)
class PublishedRow:
    """One row of a results table.

    Attributes:
        number: From 1, the header not counted.
        label: The first cell that is no number, as `ResNet-50`.
        group: Rows of one group are about the same patients.
        cells: What was read, by our names.
    """

    number: int
    label: str
    group: str
    cells: Mapping[str, Printed]


@dataclass(frozen=True)
class PublishedTable:
    """A results table as it was printed.

    Attributes:
        rows: In order.
        columns: Our name of each column that was read, to its header.
        ignored: Headers of columns that were not.
        unread: `row 3, AUC` for each cell of a column read that holds no number.
    """

    rows: tuple[PublishedRow, ...]
    columns: Mapping[str, str]
    ignored: tuple[str, ...]
    unread: tuple[str, ...]


def read_published_table(
    path: Path, mapping: Mapping[str, str] | None = None, *, group: str = ""
) -> PublishedTable:
    """Read a results table.

    Args:
        path: CSV with one header row; commas, semicolons or tabs.
        mapping: Our name of a column (one of `NAMES`, or `NAME_low`, `NAME_high`) to its header,
            where the header does not say it.
        group: The column that says which rows are about the same patients; all, if not given.

    Raises:
        UsageError: If the file is absent, or the mapping names what is not there.
        DataError: If it holds no table, or no column that we know.
    """
    header, lines = _lines(path)
    columns = _columns(header, mapping or {})
    if group and group not in header:
        raise UsageError(f"{path.name} has no column {group}", hint=f"it has {headings(header)}")
    read = {name: header.index(theirs) for name, theirs in columns.items()}
    if not read:
        raise DataError(
            f"{path.name} has no column that we know: it has {headings(header)}",
            hint="name them with --column OURS=THEIRS; see docs/lint-table.md for ours",
        )
    rows, unread = [], []
    for number, line in enumerate(lines, 1):
        cells, bad = _cells({name: line[place] for name, place in read.items()})
        unread += [f"row {number}, {columns[name]}" for name in bad]
        about = line[header.index(group)] if group else ""
        rows.append(PublishedRow(number, _label(line, number, read.values()), about, cells))
    known = (header[0], group, *columns.values())  # the first column names the rows
    ignored = tuple(one for one in header if one not in known)
    return PublishedTable(tuple(_as_shares(rows, columns)), columns, ignored, tuple(unread))


def _lines(path: Path) -> tuple[list[str], list[list[str]]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise UsageError(f"there is no table {path.name}") from None
    except UnicodeDecodeError:
        raise DataError(f"{path.name} is not UTF-8 text", hint="save it as CSV in UTF-8") from None
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    try:
        lines = [line for line in csv.reader(io.StringIO(text), delimiter=delimiter) if any(line)]
    except csv.Error:
        raise DataError(f"{path.name} cannot be read as CSV") from None
    if len(lines) < 2:
        raise DataError(f"{path.name} holds no row below its header")
    header = [one.strip() for one in lines[0]]
    ragged = [number for number, line in enumerate(lines[1:], 1) if len(line) != len(header)]
    if ragged or len(set(header)) < len(header):
        items = tuple(f"row {number} has not as many cells as the header" for number in ragged)
        twice = sorted({f"two columns {one}" for one in header if header.count(one) > 1})
        raise DataError(f"{path.name} is no even table", items=(*items, *twice))
    return header, [[cell.strip() for cell in line] for line in lines[1:]]


def _columns(header: list[str], mapping: Mapping[str, str]) -> dict[str, str]:
    """Our name of each column we know, to its header; what the mapping says holds."""
    for ours, theirs in mapping.items():
        if _known(ours) != ours:
            raise UsageError(f"{ours} is no column of ours", hint=f"ours are {', '.join(NAMES)}")
        if theirs not in header:
            raise UsageError(f"there is no column {theirs}", hint=f"there are {', '.join(header)}")
    found = dict(mapping)
    for theirs in header:
        ours = _known(theirs)
        if ours and ours not in found and theirs not in mapping.values():
            found[ours] = theirs
    return found


def _known(header: str) -> str:
    """Our name of a column by its header: `HR (95% CI)` is `hazard_ratio`; else nothing."""
    plain = re.sub(r"\(.*?\)|\[.*?\]|95\s*%?\s*CI|%|'|’", " ", header, flags=re.IGNORECASE)
    plain = re.sub(r"[^a-z0-9]+", "_", plain.lower()).strip("_")
    stem, _, end = plain.rpartition("_")
    for side, endings in _ENDS.items():
        if end in endings and (name := _named(stem)):
            return f"{name}_{side}"
    return _named(plain)


def _named(plain: str) -> str:
    found = [name for name, others in NAMES.items() if plain == name or plain in others]
    return found[0] if found else ""


def _cells(texts: Mapping[str, str]) -> tuple[dict[str, Printed], list[str]]:
    """What the cells of a row say, and which hold no number though they are not empty."""
    cells, bad = {}, []
    for name, text in texts.items():
        cell = read_cell(text, count=name in COUNTS)
        if cell is not None:
            cells[name] = cell
        elif text.lower() not in _EMPTY:
            bad.append(name)
    for name in [one for one in cells if f"{one}_low" in cells and f"{one}_high" in cells]:
        limits = cells[f"{name}_low"].value, cells[f"{name}_high"].value
        cells[name] = replace(cells[name], limits=limits)
    return {name: cell for name, cell in cells.items() if name in NAMES}, bad


def _label(line: list[str], number: int, read: object) -> str:
    words = [cell for cell in line if cell and read_cell(cell) is None]
    return line[0] or (words[0] if words else f"row {number}")


def _as_shares(rows: list[PublishedRow], columns: Mapping[str, str]) -> list[PublishedRow]:
    """Columns of percentages as shares: a % in the header, or most numbers far above 1."""
    for name in PROPORTIONS:
        known = [row.cells[name].value.low for row in rows if name in row.cells]
        if "%" in _without_level(columns.get(name, "")) or (known and median(known) > _NO_SHARE):
            rows = [_scaled(row, name) for row in rows]
    return rows


def _without_level(header: str) -> str:
    """The header without the level in `(95% CI)`; `(%)` stays."""
    return re.sub(r"\d+\s*%", "", header)


def _scaled(row: PublishedRow, name: str) -> PublishedRow:
    cell = row.cells.get(name)
    if cell is None or "%" in cell.text:
        return row
    limits = (
        None if cell.limits is None else (_hundredth(cell.limits[0]), _hundredth(cell.limits[1]))
    )
    shares = replace(cell, value=_hundredth(cell.value), limits=limits)
    return replace(row, cells={**row.cells, name: shares})


def _hundredth(span: Span) -> Span:
    return Span(span.low / 100, span.high / 100)
