from __future__ import annotations

import sys
from pathlib import Path

import polars as pl
import pytest

from sequela import memory, parquet
from sequela.errors import DataError, ResourceLimitError
from sequela.parquet import parquet_metadata, read_parquet


@pytest.fixture
def path(tmp_path: Path) -> Path:
    pl.DataFrame({"a": [1, 2], "b": ["x", None]}).write_parquet(tmp_path / "t.parquet")
    return tmp_path / "t.parquet"


def test_a_good_file_is_read_and_its_name_is_no_pattern(path: Path) -> None:
    renamed = path.rename(path.with_name("t[0]*.parquet"))
    assert read_parquet(renamed)["a"].to_list() == [1, 2]


@pytest.mark.parametrize("damage", [slice(4, 40), slice(-12, None), slice(0, None)])
def test_a_damaged_file_is_refused_in_silence(
    path: Path, damage: slice, capfd: pytest.CaptureFixture[str]
) -> None:
    content = bytearray(path.read_bytes())
    content[damage] = b"\x07" * len(content[damage])
    path.write_bytes(content)
    with pytest.raises(DataError, match="is no Parquet file, or is damaged"):
        read_parquet(path)
    sys.stderr.write("heard")
    assert capfd.readouterr().err == "heard"


def test_what_a_file_declares_is_checked_before_it_is_decoded(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "_MOST_CELLS", 3)
    monkeypatch.setattr(pl, "read_parquet", None)
    with pytest.raises(ResourceLimitError, match="2 rows of 2 columns"):
        read_parquet(path)


def test_a_few_bytes_that_fill_the_memory_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bomb = tmp_path / "bomb.parquet"
    pl.DataFrame({"a": [0] * 1_000_000}).write_parquet(bomb)
    assert bomb.stat().st_size < 20_000
    monkeypatch.setattr(memory, "machine_memory", lambda: 7_999_999)
    monkeypatch.setattr(pl, "read_parquet", None)
    with pytest.raises(ResourceLimitError, match=r"bomb\.parquet takes about 0\.0 GB"):
        read_parquet(bomb)


def test_a_file_without_a_footer_has_no_metadata(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"PAR1")
    with pytest.raises(DataError):
        parquet_metadata(tmp_path / "x")
