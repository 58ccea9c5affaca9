"""Whether a value stands anywhere in files: plain, encoded, packed, or in a table's cells.

Packed things are opened in each other: a picture in a page, a table in an archive.
"""

from __future__ import annotations

import base64
import binascii
import io
import json
import re
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from html import escape
from pathlib import Path
from urllib.parse import quote

import polars as pl

from sequela.errors import DataError, ResourceLimitError
from sequela.parquet import read_parquet

_MOST_UNPACKED = 64 << 20
_ZLIB = re.compile(rb"\x78[\x01\x5e\x9c\xda]")
_DATA = re.compile(rb"base64,([A-Za-z0-9+/]{8,})")
_DEEPEST = 4


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
        "escaped": tuple({escape(value).encode(), json.dumps(value)[1:-1].encode()} - {plain}),
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
        if path.is_file() and (found := _first(path.read_bytes(), wanted)):
            yield name, found


def traced(text: str, values: Iterable[str]) -> str:
    """The form in which a text gives one of the values away, or nothing."""
    content = text.encode("utf-8", "surrogateescape")
    return _first(content, [forms(value) for value in values])


def _first(content: bytes, wanted: Iterable[Mapping[str, tuple[bytes, ...]]]) -> str:
    for inside, how in _contents(content):
        if found := _found(inside, wanted):
            return found + how
    return ""


def _found(content: bytes, wanted: Iterable[Mapping[str, tuple[bytes, ...]]]) -> str:
    for value in wanted:
        for form, ways in value.items():
            if any(way in content for way in ways):
                return form
    return ""


def _contents(content: bytes, depth: int = 0) -> Iterator[tuple[bytes, str]]:
    """Some bytes as they are, and all that is packed in them."""
    yield content, ""
    if depth == _DEEPEST:
        return
    for packed, how in _packed(content):
        for inside, deeper in _contents(packed, depth + 1):
            yield inside, how + deeper


def _packed(content: bytes) -> Iterator[tuple[bytes, str]]:
    if content.startswith(b"PAR1"):
        yield from _cells(content)
    elif content.startswith(b"PK"):
        yield from _members(content)
    elif content.startswith(b"\x1f\x8b"):
        yield _inflated(content, 16 + zlib.MAX_WBITS), ", zipped"
    elif content[128:132] == b"DICM":
        end = 144 + int.from_bytes(content[140:144], "little")
        yield _inflated(content[end:], -zlib.MAX_WBITS), ", deflated"
    whole = memoryview(content)
    for start in _ZLIB.finditer(content):
        yield _inflated(whole[start.start() :], zlib.MAX_WBITS), ", zipped"
    for match in _DATA.finditer(content):
        with suppress(binascii.Error):
            yield base64.b64decode(match[1] + b"==="), ", in a page"


def _inflated(content: bytes | memoryview, window: int) -> bytes:
    """What was deflated there, as far as it goes; nothing where nothing was."""
    try:
        return zlib.decompressobj(window).decompress(content, _MOST_UNPACKED)
    except zlib.error:
        return b""


def _cells(content: bytes) -> Iterator[tuple[bytes, str]]:
    with suppress(DataError, ResourceLimitError), tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.parquet"
        path.write_bytes(content)
        table = read_parquet(path)
        nested = [name for name, kind in table.schema.items() if kind.is_nested()]
        texts = (
            "\n".join(map(repr, table[name].to_list()))
            if name in nested
            else "\n".join(table[name].cast(pl.String, strict=False).drop_nulls().to_list())
            for name in table.columns
        )
        yield "\n".join(texts).encode("utf-8", "surrogateescape"), ", in a cell"


def _members(content: bytes) -> Iterator[tuple[bytes, str]]:
    with suppress(zipfile.BadZipFile), zipfile.ZipFile(io.BytesIO(content)) as archive:
        for member in archive.infolist():
            yield member.filename.encode(), ", in an archive"
            if member.file_size <= _MOST_UNPACKED:
                yield archive.read(member), ", zipped"
