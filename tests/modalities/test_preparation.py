"""A store is the same bytes however it came to be: order, workers, interruptions."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from sequela.errors import DataError, LockedError, ResourceLimitError, StorageError
from sequela.modalities import ledger, preparation
from sequela.modalities.mammogram import PixelPolicy, prepare_image
from sequela.modalities.preparation import estimate_preparation, prepare_images
from sequela.modalities.store import ImageStore
from sequela.storage import owned

Images = list[tuple[str, Path]]
POLICY = PixelPolicy(size=32)
FILES = ("images.npy", "images.parquet", "prepared.json")

INTERRUPTED = """
import sys, time
from pathlib import Path
from sequela.modalities import ledger, preparation
from sequela.modalities.mammogram import PixelPolicy
from sequela.workers import Done
put = ledger.Ledger.put
def slow(self, *entry):
    put(self, *entry)
    print("written", flush=True)
    time.sleep(0.2)
ledger.Ledger.put = slow
def each(function, tasks, **_):
    for index, task in enumerate(tasks[:-1]):
        yield Done(index, function(*task), 0.01)
preparation.each = each
source, folder = map(Path, sys.argv[1:])
images = [(f"i{path.stem}", path) for path in source.glob("?.dcm")]
preparation.prepare_images(images + [("i9", source / "notes.dcm")], folder, PixelPolicy(size=32), 1)
"""


def content(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in FILES}


def test_neither_order_nor_workers_change_a_byte(folder_of_images: Images, tmp_path: Path) -> None:
    first = prepare_images(folder_of_images, tmp_path / "a", POLICY, workers=1)
    second = prepare_images(folder_of_images[::-1], tmp_path / "b", POLICY, workers=2)
    assert content(tmp_path / "a") == content(tmp_path / "b")
    assert (first.images, first.decoded, second.decoded) == (7, 7, 7)
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == [".lock", *FILES]


@pytest.mark.usefixtures("in_process")
def test_the_store_gives_what_the_policy_makes_of_the_file(
    folder_of_images: Images, tmp_path: Path
) -> None:
    report = prepare_images(folder_of_images, tmp_path / "a", POLICY, workers=2)
    assert report.failed == {"i9": "is not a DICOM file"}
    store = ImageStore.open(tmp_path / "a")
    assert store.policy == POLICY
    assert len(store) == 6
    assert "i9" not in store
    for image_id, path in folder_of_images[:-1]:
        pixels, quality = prepare_image(path, POLICY)
        np.testing.assert_array_equal(store.pixels(image_id), pixels)
        row = store.quality.row(by_predicate=pl.col("image_id") == image_id, named=True)
        assert (row["crop_right"], row["chest_wall"]) == (quality.crop.right, "left")
        assert (row["vendor"], row["greyscale"]) == ("SYNTHETIC", "pixel range")
    with pytest.raises(DataError, match="not in the prepared store"):
        store.pixels("i9")
    with pytest.raises(ValueError, match="read-only"):
        store.pixels("i0")[0, 0] = 1


@pytest.mark.usefixtures("in_process")
def test_a_killed_run_goes_on_and_ends_in_the_same_bytes(
    folder_of_images: Images, tmp_path: Path
) -> None:
    source, folder = folder_of_images[0][1].parent, tmp_path / "killed"
    child = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, str(source), str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert child.stdout is not None
    for _ in range(3):
        assert child.stdout.readline() == b"written\n"
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    with pytest.raises(DataError, match="only a part"):
        ImageStore.open(folder)
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:  # the kernel drops the lock with the last descriptor
        try:
            report = prepare_images(folder_of_images, folder, POLICY, workers=2)
            break
        except LockedError:
            time.sleep(0.05)
    assert 3 <= report.decoded <= 4
    prepare_images(folder_of_images, tmp_path / "straight", POLICY, workers=2)
    assert content(folder) == content(tmp_path / "straight")


@pytest.mark.parametrize("name", FILES[1:])
@pytest.mark.usefixtures("in_process")
def test_a_run_killed_while_it_publishes_decodes_nothing_again(
    folder_of_images: Images, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "a"
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(preparation, "_publish", killed_before(name))
        prepare_images(folder_of_images, folder, POLICY, workers=1)
    assert prepare_images(folder_of_images, folder, POLICY, workers=1).decoded == 0
    prepare_images(folder_of_images, tmp_path / "straight", POLICY, workers=1)
    assert content(folder) == content(tmp_path / "straight")


def killed_before(name: str) -> object:
    publish = preparation._publish

    def stopped(ledger: object, folder: Path, policy: PixelPolicy) -> None:
        publish(ledger, folder, policy)
        for later in FILES[FILES.index(name) :]:
            (folder / later).unlink()
        raise KeyboardInterrupt

    return stopped


@pytest.mark.usefixtures("in_process")
def test_damaged_pixels_of_an_unfinished_store_are_decoded_again(
    folder_of_images: Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "a"
    with monkeypatch.context() as patch, pytest.raises((KeyboardInterrupt, FileNotFoundError)):
        patch.setattr(preparation, "_publish", killed_before("images.npy"))
        prepare_images(folder_of_images, folder, POLICY, workers=1)
    report = prepare_images(folder_of_images, folder, POLICY, workers=1)
    assert report.decoded == 7


@pytest.mark.usefixtures("in_process")
def test_a_finished_store_is_left_alone_and_only_what_is_new_is_decoded(
    folder_of_images: Images, tmp_path: Path
) -> None:
    folder = tmp_path / "a"
    prepare_images(folder_of_images[1:], folder, POLICY, workers=1)
    before = (folder / "images.npy").stat().st_mtime_ns
    assert prepare_images(folder_of_images[1:], folder, POLICY, workers=1).decoded == 0
    assert (folder / "images.npy").stat().st_mtime_ns == before
    assert prepare_images(folder_of_images, folder, POLICY, workers=1).decoded == 1
    changed = folder_of_images[2][1]
    changed.write_bytes(folder_of_images[4][1].read_bytes())
    os.utime(changed, ns=(1, 1))
    assert prepare_images(folder_of_images, folder, POLICY, workers=1).decoded == 1
    prepare_images(folder_of_images, tmp_path / "straight", POLICY, workers=1)
    assert content(folder) == content(tmp_path / "straight")
    assert prepare_images(folder_of_images, folder, POLICY.evolve(size=16)).decoded == 7


@pytest.mark.usefixtures("in_process")
def test_a_model_is_not_shown_pixels_of_another_policy(
    folder_of_images: Images, tmp_path: Path
) -> None:
    prepare_images(folder_of_images[:1], tmp_path / "a", POLICY, workers=1)
    store = ImageStore.open(tmp_path / "a")
    store.require_policy(POLICY.fingerprint)
    with pytest.raises(LockedError, match="another pixel policy"):
        store.require_policy(PixelPolicy().fingerprint)


@pytest.mark.usefixtures("in_process")
def test_what_cannot_begin_is_refused(
    folder_of_images: Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DataError, match="no image"):
        prepare_images([], tmp_path / "a", POLICY)
    with pytest.raises(DataError, match="twice"):
        prepare_images(folder_of_images[:1] * 2, tmp_path / "a", POLICY)
    with owned(tmp_path / "a"), pytest.raises(LockedError):
        prepare_images(folder_of_images, tmp_path / "a", POLICY)
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(ResourceLimitError, match="free"):
        prepare_images(folder_of_images, tmp_path / "a", POLICY)


@pytest.mark.usefixtures("in_process")
def test_a_full_disk_loses_nothing(
    folder_of_images: Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = []

    def pwrite(handle: int, data: bytes, place: int) -> int:
        if len(written) == 4:
            raise OSError(errno.ENOSPC, "full")
        written.append(place)
        return write(handle, data, place)

    write = os.pwrite
    with monkeypatch.context() as patch, pytest.raises(ResourceLimitError, match="no space left"):
        patch.setattr("os.pwrite", pwrite)
        prepare_images(folder_of_images, tmp_path / "a", POLICY, workers=1)
    assert prepare_images(folder_of_images, tmp_path / "a", POLICY, workers=1).decoded == 3
    prepare_images(folder_of_images, tmp_path / "straight", POLICY, workers=1)
    assert content(tmp_path / "a") == content(tmp_path / "straight")


@pytest.mark.usefixtures("in_process")
def test_lines_torn_by_a_failed_write_cost_their_images_alone(
    folder_of_images: Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def torn(handle: int, data: bytes) -> int:
        if len(lines) == 2:
            write(handle, data[: len(data) // 2])
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        lines.append(data)
        return write(handle, data)

    lines, write = [], os.write
    with monkeypatch.context() as patch, pytest.raises(StorageError, match="prepared images"):
        patch.setattr(ledger, "os", SimpleNamespace(**{**vars(os), "write": torn}))
        prepare_images(folder_of_images, tmp_path / "a", POLICY, workers=1)
    (journal,) = (tmp_path / "a").glob(".images-*.jsonl.part")
    assert journal.read_text().count("\n") == 2
    journal.write_text("not JSON at all\n" + journal.read_text() + "{}\n")
    assert prepare_images(folder_of_images, tmp_path / "a", POLICY, workers=1).decoded == 5
    prepare_images(folder_of_images, tmp_path / "straight", POLICY, workers=1)
    assert content(tmp_path / "a") == content(tmp_path / "straight")


@pytest.mark.usefixtures("in_process")
def test_a_run_killed_after_its_last_file_leaves_nothing_for_ever(
    folder_of_images: Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(ledger.Ledger, "forget", lambda _: None)
        prepare_images(folder_of_images, tmp_path, POLICY, workers=1)
    assert list(tmp_path.glob(".images-*"))
    assert prepare_images(folder_of_images, tmp_path, POLICY, workers=1).decoded == 0
    assert not list(tmp_path.glob(".images-*"))


@pytest.mark.usefixtures("in_process")
def test_a_disk_that_takes_a_part_of_a_write_is_given_the_rest(
    folder_of_images: Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare_images(folder_of_images, tmp_path / "straight", POLICY, workers=1)
    pwrite = os.pwrite
    monkeypatch.setattr("os.pwrite", lambda handle, data, place: pwrite(handle, data[:100], place))
    prepare_images(folder_of_images, tmp_path / "a", POLICY, workers=1)
    assert content(tmp_path / "a") == content(tmp_path / "straight")


@pytest.mark.usefixtures("in_process")
def test_a_missing_file_is_a_row(tmp_path: Path, folder_of_images: Images) -> None:
    images = [*folder_of_images[:1], ("gone", tmp_path / "gone.dcm")]
    assert prepare_images(images, tmp_path / "a", POLICY, workers=1).failed == {
        "gone": "is missing"
    }


@pytest.mark.usefixtures("in_process")
def test_an_estimate_is_made_from_some_of_the_files(folder_of_images: Images) -> None:
    estimate = estimate_preparation(folder_of_images, POLICY, workers=1, measured=2)
    assert (estimate.images, estimate.bytes) == (7, 7 * 32 * 32)
    assert estimate.seconds is not None
    assert 0 < estimate.seconds < 7
    nothing = estimate_preparation(folder_of_images[-1:], POLICY)
    assert nothing.seconds is None
