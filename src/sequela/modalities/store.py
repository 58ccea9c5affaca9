"""Prepared images, one memory-mapped file: open it, look one up, check how it was made."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import UInt8

from sequela.errors import DataError, LockedError
from sequela.modalities.mammogram import PixelPolicy
from sequela.settings import validated
from sequela.storage import fingerprint

PIXELS, QUALITY, RECORD = "images.npy", "images.parquet", "prepared.json"


@dataclass(frozen=True)
class ImageStore:
    """The prepared images of a folder, read as they are needed.

    Attributes:
        policy: The pixel policy they were prepared with.
        quality: One row an image asked for, failed ones included.
    """

    policy: PixelPolicy
    quality: pl.DataFrame
    _rows: Mapping[str, int]
    _pixels: UInt8[np.ndarray, "image height width"]

    @classmethod
    def open(cls, folder: Path) -> ImageStore:
        """Open what `prepare_images` left in `folder`.

        Raises:
            DataError: If there is nothing, or the files do not belong together.
        """
        record = read_record(folder)
        if record is None:
            raise DataError(
                f"{folder.name} holds no prepared images, or only a part of them",
                hint="run `sequela prepare`; it goes on where it stood",
            )
        policy = validated(PixelPolicy, record["policy"], where=RECORD)
        quality = pl.read_parquet(folder / QUALITY)
        pixels = np.load(folder / PIXELS, mmap_mode="r")
        if pixels.shape != (len(quality), policy.size, policy.size):
            raise DataError(
                f"{PIXELS} in {folder.name} has shape {pixels.shape}, {QUALITY} has "
                f"{len(quality)} rows",
                hint=f"delete {folder.name} and run `sequela prepare` again",
            )
        prepared = quality.filter(pl.col("failed") == "")
        rows = dict(zip(prepared["image_id"], prepared["row"], strict=True))
        return cls(policy, quality, rows, pixels)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the checksums of all pixels, by image."""
        told = self.quality.sort("image_id").select("image_id", "checksum")
        return fingerprint(told.write_csv())

    def __contains__(self, image_id: object) -> bool:
        return image_id in self._rows

    def __len__(self) -> int:
        return len(self._rows)

    def pixels(self, image_id: str) -> UInt8[np.ndarray, "height width"]:
        """A read-only view of one prepared image.

        Raises:
            DataError: If the image was not prepared.
        """
        if image_id not in self._rows:
            raise DataError(
                "an image is not in the prepared store",
                hint=f"see the column `failed` of {QUALITY}, or run `sequela prepare` again",
            )
        view: np.ndarray = self._pixels[self._rows[image_id]]
        return view

    def require_policy(self, expected: str) -> None:
        """Refuse to show a model other pixels than it was trained on.

        Args:
            expected: `PixelPolicy.fingerprint` that the checkpoint holds.

        Raises:
            LockedError: If the images were prepared with another policy.
        """
        if self.policy.fingerprint != expected:
            raise LockedError(
                "the images were prepared with another pixel policy than the model was trained "
                f"on ({self.policy.fingerprint[:12]}, expected {expected[:12]})",
                hint="run `sequela prepare COHORT --run RUN --work ANOTHER-FOLDER`, which prepares "
                "as the run's images were",
            )


def read_record(folder: Path) -> dict[str, Any] | None:
    """What `prepared.json` says; None where no preparation has ended.

    Raises:
        DataError: If it is damaged.
    """
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError:
        record = None
    if not isinstance(record, dict) or not isinstance(record.get("policy"), dict):
        raise DataError(
            f"{RECORD} in {folder.name} is damaged",
            hint=f"delete {folder.name} and run `sequela prepare` again",
        )
    return record
