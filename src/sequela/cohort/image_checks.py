"""Rules for the files that the images and slides tables name."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from functools import cache
from pathlib import Path, PurePosixPath

from sequela.cohort.findings import Finding, finding
from sequela.cohort.manifest import Manifest
from sequela.cohort.table_files import ROW
from sequela.cohort.tables import Table


def file_findings(
    images: Table, column: str, folder: Path, manifest: Manifest
) -> Iterator[Finding]:
    """What is wrong with the paths of a column: none may leave the folder, each must be a file."""
    if not images.has(column):
        return
    home = folder.resolve()
    follow = manifest.links == "anywhere"
    stays = cache(lambda parent: follow or within(home / parent, home))
    for row, text in images.typed.select(ROW, column).drop_nulls().iter_rows():
        path = PurePosixPath(text)
        outside = path.is_absolute() or ".." in path.parts or not stays(path.parent)
        if code := "C042" if outside else _fault(home / path, home, follow=follow):
            yield finding(code, images.file, row, column)
    yield from images.repeated((column,), "C043", column)


def _fault(path: Path, home: Path, *, follow: bool) -> str:
    """The code of what is wrong with a path in the folder, or nothing."""
    try:
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            if not follow and not within(path, home):
                return "C042"
            mode = path.stat().st_mode
    except (OSError, ValueError):  # no such file, no permission, a name that cannot be
        return "C041"
    return "" if stat.S_ISREG(mode) else "C041"


def within(path: Path, home: Path) -> bool:
    """Whether the path, its links followed, stays in the folder; one that cannot be does."""
    try:
        real = os.path.realpath(path)
    except (OSError, ValueError):
        return True
    return real == str(home) or real.startswith(f"{home}{os.sep}")
