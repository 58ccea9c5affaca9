"""Where the files of imported images come to lie: copies that name nobody, or links."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from sequela.cohort.image_checks import within
from sequela.importers.deidentified import write_deidentified
from sequela.importers.dicom_file import read_dicom
from sequela.importers.pseudonyms import Pseudonyms
from sequela.progress import stage
from sequela.storage import make_folder, require_space
from sequela.workers import Failure, Limits, each

Transfer = Literal["copy", "link"]

HEADERS: Mapping[Transfer, str] = {
    "copy": "the copies of the DICOM files name nobody (PS3.15 Annex E); letters in their pixels "
    "were not looked for: `sequela deidentify` does. Files that lay in the cohort are as they were",
    "link": "the DICOM files still hold what identifies the patients; the tables do not",
}
"""What the user should know of the files."""

_LIMITS = Limits(memory=4 << 30, seconds=120.0)


def transferred(
    files: Mapping[str, Path], out: Path, pseudonyms: Pseudonyms, transfer: Transfer, workers: int
) -> tuple[dict[str, str], dict[Path, str]]:
    """Put the files of some images into a cohort folder; those that lie in it stay.

    Args:
        files: By the id of the image.
        out: The cohort folder.
        pseudonyms: Of the copies.
        transfer: Copies or links.
        workers: Processes that copy.

    Returns:
        The path of each image inside the cohort, and why a file could not be copied.
    """
    home = out.resolve()
    paths = {name: _path(name, file, home) for name, file in files.items()}
    foreign = [name for name, file in files.items() if not within(file, home)]
    if transfer == "link":
        for name in foreign:
            _link(files[name].resolve(), out / paths[name])
        return paths, {}
    make_folder(out)
    require_space(out, sum(files[name].stat().st_size for name in foreign))
    lost = {}
    tasks = [(files[name], out / paths[name], pseudonyms) for name in foreign]
    with stage("Copying images without names", len(tasks)) as advance:
        for done in each(copy_unnamed, tasks, workers=workers, limits=_LIMITS):
            if isinstance(done.value, Failure):
                lost[tasks[done.index][0]] = done.value.reason
                del paths[foreign[done.index]]
            advance(1)
    return paths, lost


def copy_unnamed(file: Path, path: Path, pseudonyms: Pseudonyms) -> None:
    """Copy a DICOM file without what identifies its patient; for a child process.

    Raises:
        DataError: If it cannot be read whole.
    """
    write_deidentified(read_dicom(file, pixels=True), path, pseudonyms)


def _path(image_id: str, file: Path, home: Path) -> str:
    """Where the file is, or will be, inside the cohort folder."""
    if within(file, home):
        return file.resolve().relative_to(home).as_posix()
    return f"dicom/{image_id}.dcm"


def _link(file: Path, path: Path) -> None:
    """A hard link, or where the file lies on another disk, a symbolic one."""
    make_folder(path.parent)
    path.unlink(missing_ok=True)
    try:
        path.hardlink_to(file)
    except OSError:
        path.symlink_to(file)
