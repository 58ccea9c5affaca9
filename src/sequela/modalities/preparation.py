"""Images of a cohort → one memory-mapped store, decoded once, in caged processes."""

from __future__ import annotations

import dataclasses
import hashlib
import statistics
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import polars as pl

from sequela.errors import DataError
from sequela.modalities.ledger import Ledger, Row, forget_unfinished, layout_of
from sequela.modalities.mammogram import PixelPolicy, Quality, prepare_image
from sequela.modalities.store import PIXELS, QUALITY, RECORD, ImageStore, read_record
from sequela.progress import stage
from sequela.storage import atomic, owned, require_space, write_json
from sequela.workers import Failure, Limits, available_cores, each

_PACKAGES = ("imagecodecs", "numpy", "pydicom", "scipy", "sequela")
_SCHEMA: dict[str, type[pl.DataType]] = {
    **dict.fromkeys(("image_id", "failed", "vendor", "encoding", "photometric"), pl.String),
    **dict.fromkeys(("greyscale", "chest_wall", "warnings", "source"), pl.String),
    **dict.fromkeys(("row", "checksum", "height", "width"), pl.Int64),
    **dict.fromkeys(("crop_top", "crop_left", "crop_bottom", "crop_right"), pl.Int64),
    "breast_share": pl.Float64,
    "lasting": pl.Boolean,
}


@dataclass(frozen=True)
class PreparationReport:
    """What a preparation did.

    Attributes:
        images: How many were asked for.
        decoded: How many this run decoded; the others were prepared before.
        failed: Why an image is not in the store, by image id.
        warned: How many were prepared with a warning.
        seconds: Wall-clock time.
    """

    images: int
    decoded: int
    failed: dict[str, str]
    warned: int
    seconds: float


@dataclass(frozen=True)
class PreparationEstimate:
    """What a preparation will cost on this machine.

    Attributes:
        images: How many are asked for.
        bytes: Size of the store.
        seconds: From the time that some of the files took; None if all of those failed.
    """

    images: int
    bytes: int
    seconds: float | None


def prepare_images(
    images: Iterable[tuple[str, Path]],
    folder: Path,
    policy: PixelPolicy,
    workers: int | None = None,
    *,
    limits: Limits | None = None,
) -> PreparationReport:
    """Decode every image once into `images.npy`, `images.parquet` and `prepared.json`.

    Rows are in order of the image id. A run that was stopped at any point goes on where it
    stood and ends in the same bytes; images of a finished store whose files did not change are
    taken over. A file that cannot be read is a row with the reason, and its pixels stay black.

    Args:
        images: Id and file of each.
        folder: Where the store is made; owned by this process meanwhile.
        policy: How images become pixels.
        workers: Processes that decode; default, one a core.
        limits: What one file may cost.

    Raises:
        DataError: If there is no image, or an id twice.
        LockedError: If another process prepares images in this folder.
        ResourceLimitError: If the disk has not the space.
    """
    began = time.monotonic()
    files = _by_id(images)
    with owned(folder):
        sources = {image_id: _source(path) for image_id, path in files.items()}
        layout = layout_of(list(files), policy.fingerprint)
        old = _finished(folder, policy)
        if old is not None and _covers(old, sources):
            forget_unfinished(folder)  # of a run that ended between its last file and this
            return _report(old.quality, 0, began)
        with Ledger(folder / PIXELS, list(files), policy.size, layout) as ledger:
            require_space(folder, (len(files) - len(ledger.done)) * policy.size**2)
            _take_over(old, ledger, sources)
            left = [image_id for image_id in files if not _current(ledger, image_id, sources)]
            _decode(left, files, sources, ledger, policy, workers, limits)
            quality = _publish(ledger, folder, policy)
        ledger.forget()
        return _report(quality, len(left), began)


def estimate_preparation(
    images: Iterable[tuple[str, Path]],
    policy: PixelPolicy,
    workers: int | None = None,
    *,
    measured: int = 4,
) -> PreparationEstimate:
    """What `prepare_images` would cost, from preparing a few of the files for measure."""
    files = list(_by_id(images).values())
    few = [files[i] for i in np.linspace(0, len(files) - 1, min(measured, len(files))).astype(int)]
    tasks = [(path, policy) for path in few]
    results = each(prepare_image, tasks, workers=1)
    times = [done.seconds for done in results if not isinstance(done.value, Failure)]
    pace = statistics.median(times) / (workers or available_cores()) if times else None
    seconds = None if pace is None else pace * len(files)
    return PreparationEstimate(len(files), len(files) * policy.size**2, seconds)


def _by_id(images: Iterable[tuple[str, Path]]) -> dict[str, Path]:
    pairs = sorted(images, key=lambda pair: pair[0])
    files = dict(pairs)
    if not files or len(files) < len(pairs):
        raise DataError(
            "an image id is there twice" if files else "there is no image to prepare",
            hint="see the column image_id of the images table",
        )
    return files


def _source(path: Path) -> str:
    """A mark of the file that changes when it is written to; empty if there is no file."""
    try:
        status = path.stat()
    except OSError:
        return ""
    return hashlib.sha256(f"{status.st_size} {status.st_mtime_ns}".encode()).hexdigest()[:16]


def _finished(folder: Path, policy: PixelPolicy) -> ImageStore | None:
    record = read_record(folder)
    same = record is not None and record["fingerprint"] == policy.fingerprint
    return ImageStore.open(folder) if same else None


def _settled(row: Row, source: str) -> bool:
    """Whether a row still speaks of its file, and another try would not end otherwise."""
    return bool(row["source"] == source and source and (not row["failed"] or row["lasting"]))


def _covers(old: ImageStore, sources: dict[str, str]) -> bool:
    rows = {row["image_id"]: row for row in old.quality.iter_rows(named=True)}
    return rows.keys() == sources.keys() and all(
        _settled(rows[image_id], source) for image_id, source in sources.items()
    )


def _current(ledger: Ledger, image_id: str, sources: dict[str, str]) -> bool:
    row = ledger.done.get(image_id)
    return row is not None and _settled(row, sources[image_id])


def _take_over(old: ImageStore | None, ledger: Ledger, sources: dict[str, str]) -> None:
    for row in old.quality.iter_rows(named=True) if old else ():
        image_id = row["image_id"]
        known = image_id in sources and not _current(ledger, image_id, sources)
        if old and known and _settled(row, sources[image_id]):
            ledger.put(image_id, row, old.pixels(image_id) if image_id in old else None)


def _decode(
    left: Sequence[str],
    files: dict[str, Path],
    sources: dict[str, str],
    ledger: Ledger,
    policy: PixelPolicy,
    workers: int | None,
    limits: Limits | None,
) -> None:
    tasks = [(files[image_id], policy) for image_id in left]
    count = workers or available_cores()
    with stage("Preparing images", len(left)) as advance:
        for done in each(prepare_image, tasks, workers=count, limits=limits):
            image_id = left[done.index]
            if isinstance(done.value, Failure):
                row = _failed_row(done.value, sources[image_id])
                ledger.put(image_id, row, None)
            else:
                pixels, quality = done.value
                ledger.put(image_id, _quality_row(quality, sources[image_id]), pixels)
            advance(1)


def _quality_row(quality: Quality, source: str) -> Row:
    row = dataclasses.asdict(quality)
    crop = {f"crop_{name}": value for name, value in row.pop("crop").items()}
    warnings = "; ".join(quality.warnings)
    return {**row, **crop, "warnings": warnings, "failed": "", "lasting": True, "source": source}


def _failed_row(failure: Failure, source: str) -> Row:
    unknown: Row = dict.fromkeys(_SCHEMA)
    reason = failure.reason if source else "is missing"
    return {**unknown, "failed": reason, "lasting": failure.lasting, "source": source}


def _publish(ledger: Ledger, folder: Path, policy: PixelPolicy) -> pl.DataFrame:
    """Name the finished files; `prepared.json`, which says that they are whole, comes last."""
    rows = [ledger.done[image_id] for image_id in ledger.ids]
    quality = pl.DataFrame(rows, schema=_SCHEMA)
    (folder / RECORD).unlink(missing_ok=True)
    ledger.publish()
    with atomic(folder / QUALITY) as temporary:
        quality.write_parquet(temporary)
    record = {
        "policy": policy.model_dump(),
        "fingerprint": policy.fingerprint,
        "images": len(rows),
        "versions": {name: version(name) for name in _PACKAGES},
    }
    write_json(folder / RECORD, record)
    return quality


def _report(quality: pl.DataFrame, decoded: int, began: float) -> PreparationReport:
    failed = quality.filter(pl.col("failed") != "")
    return PreparationReport(
        images=len(quality),
        decoded=decoded,
        failed=dict(zip(failed["image_id"], failed["failed"], strict=True)),
        warned=quality.filter(pl.col("warnings") != "").height,
        seconds=time.monotonic() - began,
    )
