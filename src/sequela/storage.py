"""Files that are whole or absent, folders that one process owns, content fingerprints."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from sequela.errors import (
    DiskFullError,
    LockedError,
    ResourceLimitError,
    SequelaError,
    StorageError,
)

_CHUNK = 1 << 20
_OUT_OF_SPACE = {errno.ENOSPC, errno.EDQUOT}
_OF_DISKS = {*_OUT_OF_SPACE, errno.EIO, errno.EROFS}
_NUMBER = re.compile(r"\(os error (\d+)\)|\[Errno (\d+)\]")
_LITTER = ".tmp" + "[0-9A-Za-z]" * 6
_GLANCE = 0.2  # seconds; `require_free` of another process holds a lock for an instant
_OWNER_ALONE, _OWNER_ALONE_FOLDER = 0o600, 0o700


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` that takes its name once it is written and synced.

    The file is its owner's alone from its first byte, and so are folders that are made.

    Args:
        path: Where the finished file will stand; its folder is made.

    Yields:
        The path of an empty file to write to. Left with an exception, nothing changes at `path`.

    Raises:
        ResourceLimitError: If the disk is full.
        StorageError: If the disk refuses for another reason.
    """
    temporary = _temporary(path)
    with disk_failures(path.name):
        make_folder(path.parent)
        with _held(temporary, path.name):
            try:
                yield temporary
                _sync(temporary)
                temporary.replace(path)
                _sync(path.parent)
            finally:
                temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """A temporary folder beside `path` that takes its name once all in it is synced.

    Args:
        path: Where the finished folder will stand; an earlier one is removed only then.

    Raises:
        ResourceLimitError: If the disk is full.
        StorageError: If the disk refuses for another reason.
    """
    temporary = _temporary(path)
    try:
        with disk_failures(path.name):
            shutil.rmtree(temporary, ignore_errors=True)
            make_folder(temporary)
            yield temporary
            for inside in sorted(temporary.rglob("*"), reverse=True):
                _sync(inside)
            _sync(temporary)
            if path.exists():
                shutil.rmtree(path)
            temporary.replace(path)
            _sync(path.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def make_folder(path: Path) -> Path:
    """The folder, made with its parents where they are missing, for its owner alone."""
    for missing in reversed([folder for folder in (path, *path.parents) if not folder.exists()]):
        missing.mkdir(mode=_OWNER_ALONE_FOLDER, exist_ok=True)
    return path


@contextmanager
def disk_failures(what: str) -> Iterator[None]:
    """Tell failures of the disk in a sentence, without the path.

    Args:
        what: What is being written, by a name that holds no identifier.

    Raises:
        ResourceLimitError: If the disk is full.
        StorageError: If it refuses for another reason.
    """
    try:
        yield
    except SequelaError:
        raise
    except Exception as error:
        number = _disk_error(error)
        if number is not None:
            raise _refusal(number, what) from error
        raise


def disk_refusal(error: Exception) -> SequelaError | None:
    """The sentence for a disk that failed or is full, wherever it was; None for what else it is."""
    number = _disk_error(error)
    return _refusal(number, "what this command makes") if number in _OF_DISKS else None


def _refusal(number: int, what: str) -> SequelaError:
    if number in _OUT_OF_SPACE:
        return DiskFullError(
            f"no space left on the disk while writing {what}",
            hint="free some space, or choose another folder with --work, and run it again",
        )
    return StorageError(
        f"the disk refused while writing {what}: {os.strerror(number)}",
        hint="look at the disk and the folder's permissions, and run it again; what was "
        "finished before is whole",
    )


def _disk_error(error: Exception) -> int | None:
    """The system's number for the failure; polars, safetensors and pydicom give it in words."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno
    if "thrift: transport error" in str(error):
        return errno.EIO  # polars, of the last part of a Parquet file
    told = _NUMBER.search(str(error))
    return int(told[1] or told[2]) if told else None


def _temporary(path: Path) -> Path:
    return path.with_name(f".{path.name}.part")


@contextmanager
def _held(temporary: Path, name: str) -> Iterator[None]:
    """An empty file at `temporary`, whatever a killed process left there, held by us alone."""
    handle = os.open(temporary, os.O_CREAT | os.O_WRONLY, _OWNER_ALONE)
    try:
        if not _locked(handle) or not _is_at(handle, temporary):
            raise LockedError(
                f"another process is writing {name}", hint="wait for it to end, and run it again"
            )
        os.ftruncate(handle, 0)
        yield
    finally:
        os.close(handle)


def _locked(handle: int, kind: int = fcntl.LOCK_EX, patience: float = 0.0) -> bool:
    until = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(handle, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                return False
            time.sleep(_GLANCE / 4)
        else:
            return True


def _is_at(handle: int, path: Path) -> bool:
    return path.exists() and os.path.samestat(os.fstat(handle), path.stat())


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8, whole or not at all; undecodable bytes come out as they came in."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="surrogateescape")


def write_json(path: Path, value: object) -> None:
    """Write `value` as indented JSON with sorted keys; NaN is refused, undefined is null."""
    text = json.dumps(value, indent=2, sort_keys=True, allow_nan=False, ensure_ascii=False)
    write_text(path, text + "\n")


def fingerprint(*parts: str | bytes | Path) -> str:
    """The SHA-256 of texts and files, in the order given, each preceded by its length."""
    digest = hashlib.sha256()
    for part in parts:
        for block in _blocks(part):
            digest.update(block)
    return digest.hexdigest()


def _blocks(part: str | bytes | Path) -> Iterable[bytes]:
    if isinstance(part, Path):
        yield str(part.stat().st_size).encode() + b":"
        with part.open("rb") as file:
            yield from iter(lambda: file.read(_CHUNK), b"")
    else:
        data = part.encode() if isinstance(part, str) else part
        yield str(len(data)).encode() + b":"
        yield data


@contextmanager
def owned(folder: Path, name: str = "") -> Iterator[Path]:
    """The folder, held by this process alone until the block ends.

    The kernel drops the lock with the process, so a killed run leaves none behind. What it does
    leave, half a file of safetensors under a name of its own, is removed.

    Args:
        folder: Made if absent.
        name: A part of the work in the folder that is held on its own; all of it if empty.

    Raises:
        LockedError: If another process holds it.
    """
    make_folder(folder)
    with _lock_file(folder, name).open("a+") as file:
        if not _locked(file.fileno(), patience=_GLANCE):
            raise _held_by_another(file, folder, name)
        with disk_failures(folder.name):
            file.truncate(0)
            os.write(file.fileno(), f"process {os.getpid()}".encode())
            for litter in () if name else folder.glob(_LITTER):
                litter.unlink(missing_ok=True)
        yield folder


def require_free(folder: Path, names: Iterable[str] = ("",)) -> None:
    """Refuse, before anything slow is begun, work that another process has under way.

    Args:
        folder: As `owned`; it need not be there, and is not made.
        names: As `owned`, each.

    Raises:
        LockedError: If another process holds one of them.
    """
    for name in names:
        path = _lock_file(folder, name)
        if path.exists():
            with path.open() as file:
                if not _locked(file.fileno(), fcntl.LOCK_SH):
                    raise _held_by_another(file, folder, name)


def _lock_file(folder: Path, name: str) -> Path:
    return folder / (f".{name}.lock" if name else ".lock")


def _held_by_another(file: TextIO, folder: Path, name: str) -> LockedError:
    file.seek(0)
    process = file.read().strip() or "unknown"
    what = f"on {name} in {folder.name}" if name else f"in {folder.name}"
    return LockedError(
        f"another process ({process}) works {what}",
        hint="wait for it to end and run it again, or choose another folder with --work",
    )


def require_space(folder: Path, needed: int) -> None:
    """Refuse to begin a job whose output cannot fit.

    Args:
        folder: Where the output will stand.
        needed: Bytes that the job will write.

    Raises:
        ResourceLimitError: If less is free.
    """
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise ResourceLimitError(
            f"{folder.name} needs {needed / 1e9:.1f} GB, {free / 1e9:.1f} GB are free",
            hint="free some space, or choose another folder with --work",
        )
