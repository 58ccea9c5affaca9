"""Checksums of a folder's files, written last, so that a folder can be checked end to end."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sequela.errors import DataError
from sequela.storage import write_json

SEAL = "seal.json"


def seal(folder: Path, **facts: object) -> None:
    """Write the checksum of every file of a finished folder that has none yet into `seal.json`.

    A file that was sealed before keeps its checksum, or a damage would be sealed with it.

    Args:
        folder: Whose files no process writes any more.
        facts: What else to keep beside them; facts of an earlier seal stand.
    """
    earlier = _read(folder) if (folder / SEAL).exists() else {"files": {}}
    present = {name: earlier["files"].get(name) or _checksum(folder / name) for name in _in(folder)}
    sealed = {**facts, **earlier, "files": present}
    if sealed != earlier:
        write_json(folder / SEAL, sealed)


def unseal(folder: Path, name: str) -> None:
    """Forget the checksum of a file that is about to be written anew."""
    if (folder / SEAL).exists():
        sealed = _read(folder)
        if sealed["files"].pop(name, None):
            write_json(folder / SEAL, sealed)


def broken_seals(folder: Path) -> tuple[str, ...]:
    """What is not as it was sealed, a line each.

    Raises:
        DataError: If the folder has no seal, or one that cannot be read.
    """
    sealed = _read(folder)["files"]
    present = _in(folder)
    changed = [name for name in present if sealed.get(name, "") != _checksum(folder / name)]
    return (
        *(f"{name}: is missing" for name in sealed if name not in present),
        *(f"{name}: has changed since" for name in changed if name in sealed),
        *(f"{name}: is not among the sealed files" for name in changed if name not in sealed),
    )


def _read(folder: Path) -> dict[str, Any]:
    try:
        sealed = json.loads((folder / SEAL).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(
            f"{folder.name} has no {SEAL} that can be read: it was not finished, or not here",
            hint="run the command that makes the folder again: it goes on where it stood",
        ) from error
    if not isinstance(sealed, Mapping) or not isinstance(sealed.get("files"), Mapping):
        raise DataError(f"{SEAL} in {folder.name} does not name its files", hint="restore it")
    return {**sealed, "files": dict(sealed["files"])}


def _in(folder: Path) -> list[str]:
    """Files of the folder by name, hidden ones (locks, half-written files) and the seal aside."""
    files = (path.relative_to(folder) for path in sorted(folder.rglob("*")) if path.is_file())
    return [
        file.as_posix()
        for file in files
        if file.as_posix() != SEAL and not any(part.startswith(".") for part in file.parts)
    ]


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
