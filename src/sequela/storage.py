"""Files that are whole or absent, folders that one process owns, content fingerprints."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sequela.errors import LockedError, ResourceLimitError

_CHUNK = 1 << 20
_OUT_OF_SPACE = {28, 122}  # ENOSPC, EDQUOT


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` that takes its name once it is written and synced.

    Args:
        path: Where the finished file will stand; its folder is made.

    Yields:
        The path to write to. Left with an exception, nothing stands at `path`.

    Raises:
        ResourceLimitError: If the disk is full.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield temporary
        _sync(temporary)
        temporary.replace(path)
        _sync(path.parent)
    except Exception as error:
        if _is_out_of_space(error):
            raise ResourceLimitError(
                f"no space left on the disk while writing {path.name}",
                hint="free some space, or choose another folder with --work, and run it again",
            ) from error
        raise
    finally:
        temporary.unlink(missing_ok=True)


def _is_out_of_space(error: Exception) -> bool:
    """Whether the disk is full; polars and safetensors say so in words alone."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno in _OUT_OF_SPACE
    return any(f"(os error {number})" in str(error) for number in _OUT_OF_SPACE)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8, whole or not at all."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


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
def owned(folder: Path) -> Iterator[Path]:
    """The folder, held by this process alone until the block ends.

    The kernel drops the lock with the process, so a killed run leaves none behind.

    Raises:
        LockedError: If another process holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            raise LockedError(
                f"another process ({file.read().strip() or 'unknown'}) works in {folder.name}",
                hint="wait for it to end, or choose another folder",
            ) from error
        file.truncate(0)
        file.write(f"process {os.getpid()}")
        file.flush()
        yield folder


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
