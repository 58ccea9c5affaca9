from __future__ import annotations

import errno
import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from safetensors import SafetensorError

from sequela import storage
from sequela.errors import LockedError, ResourceLimitError, StorageError


def test_a_write_that_fails_leaves_the_old_file_and_no_litter(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    storage.write_text(path, "old")
    with pytest.raises(RuntimeError), storage.atomic(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["a.txt"]


def test_a_full_disk_is_said_in_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ResourceLimitError) as caught:
        storage.write_text(tmp_path / "a.txt", "new")
    assert "no space left" in caught.value.message
    assert caught.value.exit_code == 7
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_known_by_the_words_of_polars_safetensors_and_pydicom(
    tmp_path: Path,
) -> None:
    said = "File out of specification: underlying IO error: No space left on device (os error 28)"
    pydicom = "With tag 7fe0,0010 got exception: [Errno 28] No space left on device\nTraceback …"
    kinds = (OSError(said), pl.exceptions.ComputeError(said), SafetensorError(said))
    for raised in (*kinds, OSError(pydicom)):
        with (
            pytest.raises(ResourceLimitError, match="no space left"),
            storage.atomic(tmp_path / "table"),
        ):
            raise raised


def test_a_failure_in_the_last_part_of_a_parquet_is_one_of_the_disk(tmp_path: Path) -> None:
    said = "parquet: File out of specification: Invalid thrift: transport error"
    with (
        pytest.raises(StorageError, match="refused while writing table"),
        storage.atomic(tmp_path / "table"),
    ):
        raise pl.exceptions.ComputeError(said)


def test_another_failure_of_the_disk_is_not_called_a_full_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(descriptor: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(StorageError, match=r"a\.txt: Input/output error") as caught:
        storage.write_text(tmp_path / "a.txt", "new")
    assert caught.value.exit_code == 4
    assert str(tmp_path) not in caught.value.message


def test_what_a_killed_writer_left_is_written_over(tmp_path: Path) -> None:
    (tmp_path / ".a.txt.part").write_text("a long text that was never finished")
    storage.write_text(tmp_path / "a.txt", "new")
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("a.txt", "new")]


def test_two_writers_of_one_file_do_not_mix(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    with storage.atomic(path) as temporary:
        temporary.write_text("first")
        with pytest.raises(LockedError, match=r"another process is writing a\.txt"):
            storage.write_text(path, "second")
    assert path.read_text() == "first"


def test_files_and_folders_are_their_owners_alone(tmp_path: Path) -> None:
    others = os.umask(0)
    try:
        storage.write_text(tmp_path / "a" / "b" / "c.txt", "private")
        pl.DataFrame({"x": [1]}).write_parquet(tmp_path / "usual")
        with storage.atomic(tmp_path / "a" / "table") as temporary:
            pl.DataFrame({"x": [1]}).write_parquet(temporary)
    finally:
        os.umask(others)
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "a").rglob("*")}
    assert modes == {"b": 0o700, "c.txt": 0o600, "table": 0o600}
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "usual").stat().st_mode & 0o777 == 0o666


def test_a_folder_is_whole_or_absent(tmp_path: Path) -> None:
    path = tmp_path / "folder"
    with storage.atomic_folder(path) as temporary:
        (temporary / "old").write_text("old")
    with pytest.raises(RuntimeError), storage.atomic_folder(path) as temporary:
        (temporary / "half").write_text("half")
        raise RuntimeError
    assert [file.name for file in tmp_path.rglob("*")] == ["folder", "old"]
    with storage.atomic_folder(path) as temporary:
        (temporary / "new").write_text("new")
    assert [file.name for file in tmp_path.rglob("*")] == ["folder", "new"]


def test_json_is_sorted_and_refuses_nan(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    storage.write_json(path, {"b": None, "a": 1})
    assert list(json.loads(path.read_text())) == ["a", "b"]
    with pytest.raises(ValueError, match="JSON"):
        storage.write_json(path, {"a": float("nan")})


def test_a_fingerprint_tells_parts_apart_and_reads_files_as_bytes(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"one")
    assert storage.fingerprint("ab", "c") != storage.fingerprint("a", "bc")
    assert storage.fingerprint(path) == storage.fingerprint(b"one") == storage.fingerprint("one")


_HOLD = """
import sys, time
from pathlib import Path
from sequela.storage import owned
with owned(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_folder_has_one_owner_and_is_free_when_the_owner_ends(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "held\n"
        with pytest.raises(LockedError) as caught, storage.owned(tmp_path):
            pass
        assert caught.value.exit_code == 4
        assert str(owner.pid) in caught.value.message
        owner.kill()
    with storage.owned(tmp_path):
        pass


def test_parts_of_the_work_in_a_folder_are_held_on_their_own(tmp_path: Path) -> None:
    storage.require_free(tmp_path / "absent")
    assert not (tmp_path / "absent").exists()
    with storage.owned(tmp_path, "one"), storage.owned(tmp_path, "other"):
        storage.require_free(tmp_path)
        with pytest.raises(LockedError, match=r"works on one in") as caught:
            storage.require_free(tmp_path, ["third", "one"])
        assert "run it again" in caught.value.hint
    storage.require_free(tmp_path, ["one", "other"])


def test_what_a_killed_safetensors_left_goes_with_the_next_owner(tmp_path: Path) -> None:
    for name in (".tmpA1b2C3", ".tmp-mine", "a.tmp"):
        (tmp_path / name).write_text("half")
    with storage.owned(tmp_path, "part"):
        assert (tmp_path / ".tmpA1b2C3").exists()
    with storage.owned(tmp_path):
        assert {path.name for path in tmp_path.glob("*tmp*")} == {".tmp-mine", "a.tmp"}


def test_a_job_that_cannot_fit_is_refused_before_it_starts(tmp_path: Path) -> None:
    storage.require_space(tmp_path, 1)
    with pytest.raises(ResourceLimitError):
        storage.require_space(tmp_path, 1 << 62)


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC])
@pytest.mark.parametrize("call", ["fsync", "replace", "write"])
def test_whichever_call_fails_the_old_file_stands_and_a_second_try_ends_as_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int
) -> None:
    clean = {"a.json": {"n": 2}, "b.json": {"n": 3}}

    def work(folder: Path) -> None:
        for name, value in clean.items():
            storage.write_json(folder / name, value)

    work(tmp_path / "clean")
    expected = {path.name: path.read_bytes() for path in (tmp_path / "clean").iterdir()}
    failed = 0
    for nth in range(8):
        folder = tmp_path / f"{nth}"
        storage.write_json(folder / "a.json", "old")
        with monkeypatch.context() as patch:
            fail_at(patch, call, nth, number)
            try:
                work(folder)
            except (StorageError, ResourceLimitError):
                failed += 1
                assert (folder / "a.json").read_bytes() in (b'"old"\n', expected["a.json"])
                assert not list(folder.glob("*.part"))
        work(folder)
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == expected
    assert failed == {"fsync": 4, "replace": 2, "write": 2}[call]


def fail_at(patch: pytest.MonkeyPatch, call: str, nth: int, number: int) -> None:
    """The nth call of one kind fails, the others do not."""
    owner, name = {
        "fsync": (os, "fsync"),
        "replace": (Path, "replace"),
        "write": (Path, "write_text"),
    }[call]
    real, calls = getattr(owner, name), itertools.count()

    def failing(*arguments: object, **named: object) -> object:
        if next(calls) == nth:
            raise OSError(number, os.strerror(number))
        return real(*arguments, **named)

    patch.setattr(owner, name, failing)
