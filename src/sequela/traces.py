"""Whether a value stands anywhere in files: plain, encoded, packed, or in a table's cells."""

from __future__ import annotations

import base64
import gzip
import io
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from urllib.parse import quote

import polars as pl

from sequela.errors import DataError, ResourceLimitError
from sequela.parquet import read_parquet

_MOST_UNPACKED = 64 << 20
_ZLIB = re.compile(rb"\x78[\x01\x5e\x9c\xda]")


def forms(value: str) -> Mapping[str, tuple[bytes, ...]]:
    """The bytes that would give a value away, by the form in which they stand.

    Base64 is looked for at each of its three alignments, without the characters that depend on
    what stands before and after.
    """
    plain = value.encode()
    aligned = []
    for shift in range(3):
        text = base64.b64encode(b"\0" * shift + plain)
        aligned.append(text[(0, 2, 3)[shift] : len(text) - (4 if text.endswith(b"=") else 0)])
    return {
        "plain": (plain, plain.upper(), plain.lower()),
        "hexadecimal": (plain.hex().encode(), plain.hex().upper().encode()),
        "base64": (*aligned, *(text.translate(_URL_SAFE) for text in aligned)),
        "URL": tuple({quote(value, safe="").encode(), value.replace(" ", "+").encode()} - {plain}),
        "UTF-16": (value.encode("utf-16-le"), value.encode("utf-16-be")),
    }


_URL_SAFE = bytes.maketrans(b"+/", b"-_")


def traces(folder: Path, values: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Each file below the folder that gives a value away, and in which form; never the value.

    Args:
        folder: Searched to any depth, hidden files and the names of files included.
        values: What must not be there. Short ones occur by chance: take six characters or more.
    """
    wanted = [forms(value) for value in values]
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if found := _found(name.encode("utf-8", "surrogateescape"), wanted):
            yield name, f"{found}, in its name"
        if path.is_file():
            for content, how in _contents(path):
                if found := _found(content, wanted):
                    yield name, found + how
                    break


def traced(text: str, values: Iterable[str]) -> str:
    """The form in which a text gives one of the values away, or nothing."""
    return _found(text.encode("utf-8", "surrogateescape"), [forms(value) for value in values])


def _found(content: bytes, wanted: Iterable[Mapping[str, tuple[bytes, ...]]]) -> str:
    for value in wanted:
        for form, ways in value.items():
            if any(way in content for way in ways):
                return form
    return ""


def _contents(path: Path) -> Iterator[tuple[bytes, str]]:
    """What a file holds, as it is and unpacked."""
    content = path.read_bytes()
    yield content, ""
    if content.startswith(b"PAR1"):
        yield from _cells(path)
    elif content.startswith(b"PK"):
        yield from _members(content)
    elif content.startswith(b"\x1f\x8b"):
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
            yield file.read(_MOST_UNPACKED), ", zipped"
    for start in _ZLIB.finditer(content):
        try:
            unpacked = zlib.decompressobj().decompress(content[start.start() :], _MOST_UNPACKED)
        except zlib.error:
            continue
        yield unpacked, ", zipped"


def _cells(path: Path) -> Iterator[tuple[bytes, str]]:
    try:
        table = read_parquet(path)
    except (DataError, ResourceLimitError):
        return
    flat = [name for name, kind in table.schema.items() if not kind.is_nested()]
    yield (
        table.select(pl.col(flat).cast(pl.String, strict=False)).write_csv().encode(),
        ", in a cell",
    )


def _members(content: bytes) -> Iterator[tuple[bytes, str]]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for member in archive.infolist():
            if member.file_size <= _MOST_UNPACKED:
                yield archive.read(member), ", zipped"
