"""A store that is being written: which images are in it already, whenever it was stopped."""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

import numpy as np
from jaxtyping import UInt8

from sequela.storage import atomic, disk_failures, fingerprint, write_text

Row = dict[str, object]


@dataclass
class Ledger:
    """The unfinished pixel file and its journal, a line an image, in one folder.

    An image is in the ledger once its pixels and then its line are written; a line whose
    pixels do not have its checksum (the power failed between) does not count.

    Attributes:
        finished: The name that the pixels get once they are whole.
        ids: Images in the order of their rows.
        size: Height and width of an image.
        done: Quality rows of the images written so far.
    """

    finished: Path
    ids: Sequence[str]
    size: int
    layout: str
    done: dict[str, Row] = field(default_factory=dict)

    def __enter__(self) -> Ledger:
        if self._journal_file.exists() and not self.pixel_file.exists():
            self._unpublish()
        if not self.pixel_file.exists():
            self._begin()
        self._rows = {image_id: row for row, image_id in enumerate(self.ids)}
        # Unbuffered: what a buffer still holds after a failure is written again at the end.
        self._pixels = self.pixel_file.open("r+b", buffering=0)
        np.lib.format.read_magic(self._pixels)
        np.lib.format.read_array_header_1_0(self._pixels)
        self._first = self._pixels.tell()
        self._recover()
        self._journal = self._journal_file.open("ab", buffering=0)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._journal.close()
        self._pixels.close()

    @property
    def pixel_file(self) -> Path:
        """The unfinished pixels."""
        return self.finished.parent / f".images-{self.layout[:16]}.npy.part"

    @property
    def _journal_file(self) -> Path:
        return self.finished.parent / f".images-{self.layout[:16]}.jsonl.part"

    def put(
        self, image_id: str, row: Row, pixels: UInt8[np.ndarray, "height width"] | None
    ) -> None:
        """Write an image and its row; None where there is a failure instead.

        Raises:
            DiskFullError: If the disk is full.
            StorageError: If it refuses for another reason.
        """
        place = self._rows[image_id]
        data = bytes(self.size**2) if pixels is None else pixels.tobytes()
        entry = {**row, "image_id": image_id, "row": place, "checksum": zlib.crc32(data)}
        with disk_failures("the prepared images"):
            start, pixels_of = self._first + place * self.size**2, self._pixels.fileno()
            _write_all(data, lambda left, done: os.pwrite(pixels_of, left, start + done))
            line = (json.dumps(entry) + "\n").encode()
            _write_all(line, lambda left, _: os.write(self._journal.fileno(), left))
        self.done[image_id] = entry

    def publish(self) -> None:
        """Give the finished pixels their name."""
        with disk_failures("the prepared images"):
            os.fsync(self._pixels.fileno())
            self.pixel_file.replace(self.finished)

    def _unpublish(self) -> None:
        """Stopped after `publish` and before `forget`: take the pixels back."""
        if self.finished.exists():
            self.finished.replace(self.pixel_file)

    def forget(self) -> None:
        """Remove the journal, once nothing can need it."""
        self._journal_file.unlink(missing_ok=True)

    def _begin(self) -> None:
        """An empty pixel file; what other layouts left unfinished is removed."""
        forget_unfinished(self.finished.parent)
        with atomic(self.pixel_file) as temporary, temporary.open("wb") as file:
            shape = (len(self.ids), self.size, self.size)
            header = {"descr": "|u1", "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(file, header)
            file.truncate(file.tell() + len(self.ids) * self.size**2)

    def _recover(self) -> None:
        if not self._journal_file.exists():
            return
        lines = self._journal_file.read_text(encoding="utf-8").splitlines(keepends=True)
        for line in lines:
            entry = _entry(line)
            if entry.get("image_id") in self._rows and self._holds(entry):
                self.done[str(entry["image_id"])] = entry
        if not all(map(_entry, lines)):
            whole = "".join(line for line in lines if _entry(line))
            write_text(self._journal_file, whole)

    def _holds(self, entry: Row) -> bool:
        place = self._first + self._rows[str(entry["image_id"])] * self.size**2
        data = os.pread(self._pixels.fileno(), self.size**2, place)
        return zlib.crc32(data) == entry["checksum"]


def _write_all(data: bytes, write: Callable[[bytes, int], int]) -> None:
    """Write all of it; a disk that is nearly full takes a part and says so by the count alone.

    Args:
        data: What is written.
        write: Told what is left and how much was written before; how much it wrote.
    """
    done = 0
    while done < len(data):
        done += write(data[done:], done)


def _entry(line: str) -> Row:
    """What a line of the journal says; nothing if it is torn, as a failed write leaves it."""
    try:
        entry: Row = json.loads(line) if line.endswith("\n") else {}
    except ValueError:
        return {}
    return entry


def forget_unfinished(folder: Path) -> None:
    """Remove what unfinished stores left in a folder, whatever lay where in them."""
    for stale in folder.glob(".images-*.part"):
        stale.unlink()


def layout_of(ids: Sequence[str], policy_fingerprint: str) -> str:
    """A hash of which images lie where, prepared how."""
    return fingerprint(policy_fingerprint, *ids)
