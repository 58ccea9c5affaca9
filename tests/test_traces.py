from __future__ import annotations

import base64
import gzip
import html
import json
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import polars as pl
import pytest

from sequela.traces import traced, traces

VALUE = "Roe^Jané <Canary+4711>"
DEFLATED = bytes(128) + b"DICM" + bytes.fromhex("0200000055 4c0400 00000000".replace(" ", ""))

WAYS: dict[str, Callable[[bytes], bytes]] = {
    "plain": lambda data: data,
    "lower": lambda data: data.lower(),
    "hexadecimal": lambda data: data.hex().encode(),
    "base64": base64.b64encode,
    "base64, later": lambda data: base64.b64encode(b"1" + data + b"xyz"),
    "base64, latest": lambda data: base64.urlsafe_b64encode(b"12" + data + b"xyz"),
    "URL": lambda data: quote(data, safe="").encode(),
    "UTF-16": lambda data: data.decode().encode("utf-16"),
    "zlib": zlib.compress,
    "gzip": gzip.compress,
    "escaped for a page": lambda data: html.escape(data.decode()).encode(),
    "escaped for JSON": lambda data: json.dumps(data.decode()).encode(),
    "deflated DICOM": lambda data: DEFLATED + zlib.compress(b"header " + data, wbits=-15),
    "a picture's words in a page": lambda data: (
        b"<img src='data:image/png;base64," + base64.b64encode(b"PNG" + zlib.compress(data)) + b"'>"
    ),
}
WHOLE = {"gzip", "deflated DICOM"}
"""Told by how a file begins."""


@pytest.mark.parametrize("way", WAYS)
def test_a_value_is_found_in_every_form(way: str, tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / ".file").write_bytes(b"before " + WAYS[way](VALUE.encode()) + b" after")
    if way in WHOLE:
        (tmp_path / "deep" / ".file").write_bytes(WAYS[way](VALUE.encode()))
    ((name, form),) = traces(tmp_path, [VALUE])
    assert name == "deep/.file"
    assert VALUE not in form


def test_a_value_is_found_in_names_archives_and_tables(tmp_path: Path) -> None:
    (tmp_path / f"{VALUE}.txt").write_text("nothing")
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("inside", f"see {VALUE}" * 9)
    table = pl.DataFrame({"a": [f"x {VALUE}"] * 1000, "b": range(1000)})
    table.write_parquet(tmp_path / "t.parquet", compression="zstd")
    inner = pl.DataFrame({"a": [["x", VALUE]] * 1000})
    inner.write_parquet(tmp_path / "nested.parquet", compression="zstd")
    assert {name for name, _ in traces(tmp_path, [VALUE])} == {
        f"{VALUE}.txt",
        "a.zip",
        "t.parquet",
        "nested.parquet",
    }


def test_what_is_not_there_is_not_found(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(range(256)) * 100)
    assert list(traces(tmp_path, [VALUE])) == []
    assert traced("Jane", [VALUE]) == ""
    assert traced(f"<{VALUE}>", [VALUE]) == "plain"
