from __future__ import annotations

from pathlib import Path

import pytest

from sequela.errors import DataError
from sequela.seal import SEAL, broken_seals, seal, unseal


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "weights").write_bytes(b"1234")
    (tmp_path / "tokenizer").mkdir()
    (tmp_path / "tokenizer" / "words").write_text("a b")
    (tmp_path / ".lock").write_text("process 1")
    seal(tmp_path, threads=1)
    return tmp_path


def test_an_untouched_folder_is_whole(folder: Path) -> None:
    assert broken_seals(folder) == ()


def test_each_kind_of_damage_is_named(folder: Path) -> None:
    (folder / "weights").write_bytes(b"1235")
    (folder / "tokenizer" / "words").unlink()
    (folder / "new").write_text("new")
    assert broken_seals(folder) == (
        "tokenizer/words: is missing",
        "weights: has changed since",
        "new: is not among the sealed files",
    )


def test_sealing_again_takes_new_files_in_and_hides_no_damage(folder: Path) -> None:
    (folder / "new").write_text("new")
    (folder / "weights").write_bytes(b"1235")
    seal(folder)
    assert broken_seals(folder) == ("weights: has changed since",)


def test_a_file_written_anew_is_sealed_anew(folder: Path) -> None:
    unseal(folder, "weights")
    (folder / "weights").write_bytes(b"1235")
    seal(folder)
    assert broken_seals(folder) == ()


def test_sealing_twice_writes_nothing(folder: Path) -> None:
    before = (folder / SEAL).stat().st_mtime_ns
    seal(folder, threads=2)
    assert (folder / SEAL).stat().st_mtime_ns == before


@pytest.mark.parametrize("text", ["", "{", "[]", '{"files": 3}'])
def test_a_seal_that_says_nothing_is_refused(folder: Path, text: str) -> None:
    (folder / SEAL).write_text(text)
    with pytest.raises(DataError, match=SEAL):
        broken_seals(folder)
