"""The cells of an xlsx sheet as text: a zip of XML, read with limits, without document types."""

from __future__ import annotations

import lzma
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import polars as pl

from sequela.errors import DataError, ResourceLimitError

MAXIMUM_BYTES = 512 << 20
"""Of one part of the file, uncompressed."""
_BROKEN = (
    *(zipfile.BadZipFile, zlib.error, ElementTree.ParseError, KeyError, IndexError, ValueError),
    *(OSError, EOFError, RuntimeError, struct.error, lzma.LZMAError),
)
"""What zipfile and its packers raise on broken and on encrypted files."""
_MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_REFERENCE = re.compile(r"([A-Z]{1,3})\d+")


def read_sheet(path: Path, name: str) -> pl.DataFrame:
    """A sheet with a header, every cell as text.

    Args:
        path: An xlsx file.
        name: The sheet; the first one if the file has no sheet of that name.

    Raises:
        DataError: If it is no xlsx file.
        ResourceLimitError: If a part of it is too large once uncompressed.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            words = _shared_words(archive)
            rows = list(_rows(_parsed(archive, _sheet(archive, name)), words))
    except _BROKEN:
        raise DataError(f"{path.name} is not an xlsx table", hint="save it as CSV") from None
    if not rows:
        raise DataError(f"{path.name} has an empty sheet", hint="save the table as CSV")
    header = [rows[0].get(column, "") or f"column {column}" for column in range(max(rows[0]) + 1)]
    cells = {title: [row.get(n) for row in rows[1:]] for n, title in enumerate(header)}
    return pl.DataFrame(cells, schema=dict.fromkeys(cells, pl.String))


def _parsed(archive: zipfile.ZipFile, member: str) -> ElementTree.Element:
    if archive.getinfo(member).file_size > MAXIMUM_BYTES:
        raise ResourceLimitError("a sheet is too large once uncompressed", hint="save it as CSV")
    data = archive.read(member)
    if b"<!DOCTYPE" in data[:4096]:
        raise ValueError("document type")
    return ElementTree.fromstring(data)  # noqa: S314


def _sheet(archive: zipfile.ZipFile, name: str) -> str:
    """The member that holds the sheet of a name, or the first sheet."""
    sheets = [
        each.get("name") for each in _parsed(archive, "xl/workbook.xml").iter(_MAIN + "sheet")
    ]
    number = sheets.index(name) + 1 if name in sheets else 1
    return f"xl/worksheets/sheet{number}.xml"


def _shared_words(archive: zipfile.ZipFile) -> list[str]:
    if "xl/sharedStrings.xml" not in archive.namelist():
        return []
    items = _parsed(archive, "xl/sharedStrings.xml").iter(_MAIN + "si")
    return ["".join(part.text or "" for part in item.iter(_MAIN + "t")) for item in items]


def _rows(sheet: ElementTree.Element, words: list[str]) -> Iterator[dict[int, str]]:
    """The cells of each row by their column, from 0."""
    for row in sheet.iter(_MAIN + "row"):
        cells: dict[int, str] = {}
        for cell in row.iter(_MAIN + "c"):
            match = _REFERENCE.fullmatch(cell.get("r", ""))
            column = _column(match[1]) if match else len(cells)
            text = "".join(part.text or "" for part in cell if part.tag != _MAIN + "f")
            if cell.get("t") == "s":
                text = words[int(text)]
            elif cell.get("t") == "inlineStr":
                text = "".join(part.text or "" for part in cell.iter(_MAIN + "t"))
            if text:
                cells[column] = text
        if cells:
            yield cells


def _column(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - ord("A") + 1
    return number - 1
