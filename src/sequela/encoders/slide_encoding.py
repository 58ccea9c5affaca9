"""Tiles of slides through a frozen encoder, one feature file a slide; children read meanwhile."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from pydantic import PositiveInt

from sequela.cohort.patient import Slide
from sequela.encoders.patch import PatchEncoder, PatchEncoderConfig
from sequela.modalities.feature_file import SlideFeatures, read_header, write_features
from sequela.modalities.slide_bags import SlidePolicy, feature_file, picture_file
from sequela.modalities.slide_picture import look_at_slide
from sequela.modalities.tiling import TiledSlide, Tiling, read_tiles
from sequela.progress import Advance
from sequela.storage import fingerprint
from sequela.workers import Failure, Limits, each

_CHUNK = 128
_TOGETHER = 32


class SlideSettings(Tiling):
    """How slides become bags of patch features.

    Attributes:
        encoder: Of the tiles, where features are to be made.
        policy: What becomes of several slides a patient.
        batch: Tiles that the encoder sees at once.
        most: Patches of a patient that a training step sees; a larger bag is sampled, anew each
            epoch. None: all.
    """

    encoder: PatchEncoderConfig = PatchEncoderConfig()
    policy: SlidePolicy = "concatenate"
    batch: PositiveInt = 32
    most: PositiveInt | None = None

    @property
    def tiling(self) -> Tiling:
        """How slides are cut, without what is made of the tiles."""
        return Tiling(**{name: getattr(self, name) for name in Tiling.model_fields})


@dataclass(frozen=True)
class Workplace:
    """Where the files go, and what children may cost.

    Attributes:
        folder: Of the feature files.
        workers: Children at once.
        limits: Of what a child may cost.
    """

    folder: Path
    workers: int
    limits: Limits

    def file(self, slide: Slide) -> Path:
        """The feature file of a slide."""
        return feature_file(self.folder, slide.slide_id)


Row = dict[str, Any]
"""Of the index of slides."""


def failed_row(reason: str) -> Row:
    """Of a slide that has no features."""
    return {"failed": reason}


def row_of(patches: int, width: int, made: Mapping[str, Any]) -> Row:
    """Of a slide that has."""
    named = {name: made.get(name) for name in ("encoder", "encoder_hash", "mpp")}
    return {"patches": patches, "width": width, "failed": "", **named}


def newer(made: Path, source: Path) -> bool:
    """Whether a file stands, and was written after its source."""
    return made.is_file() and made.stat().st_mtime_ns > source.stat().st_mtime_ns


def required(path: Path | None) -> Path:
    """The path of a slide that was chosen for having it."""
    assert path is not None  # noqa: S101 - the caller chose slides that have it
    return path


@dataclass(frozen=True)
class SlideEncoding:
    """Encodes the tiles of slides; children read them meanwhile.

    Attributes:
        work: Where and how.
        settings: How slides are cut.
        encoder: Of the tiles.
        device: Where it computes.
    """

    work: Workplace
    settings: SlideSettings
    encoder: PatchEncoder
    device: torch.device

    def __post_init__(self) -> None:
        self.encoder.network.to(self.device)

    def found(self, slide: Slide) -> Row | None:
        """The row of a slide whose file stands and was made in this way."""
        file, source = self.work.file(slide), required(slide.path)
        if not newer(file, source):
            return None
        patches, width, made = read_header(file)
        same = made.get("recipe") == self._recipe(slide)
        return row_of(patches, width, made) if same else None

    def make(self, slides: Sequence[Slide], advance: Advance) -> dict[str, Row]:
        """The rows of slides whose files this makes, some slides at a time."""
        rows: dict[str, Row] = {}
        for first in range(0, len(slides), _TOGETHER):
            some = slides[first : first + _TOGETHER]
            tiled: dict[str, tuple[TiledSlide, str]] = {}
            for slide, value in self._seen(some):
                if isinstance(value, Failure):
                    rows[slide.slide_id] = failed_row(value.reason)
                    advance(1)
                else:
                    tiled[slide.slide_id] = value
            for slide, row in self._encoded(some, tiled):
                rows[slide.slide_id] = row
                advance(1)
        return rows

    def _seen(
        self, slides: Sequence[Slide]
    ) -> Iterator[tuple[Slide, tuple[TiledSlide, str] | Failure]]:
        tasks = [
            (
                slide.path,
                self.settings.tiling,
                slide.mpp,
                picture_file(self.work.folder, slide.slide_id),
            )
            for slide in slides
        ]
        for done in each(look_at_slide, tasks, workers=self.work.workers, limits=self.work.limits):
            yield slides[done.index], done.value

    def _encoded(
        self, slides: Sequence[Slide], tiled: Mapping[str, tuple[TiledSlide, str]]
    ) -> Iterator[tuple[Slide, Row]]:
        """Rows of the slides, each as its last tiles come."""
        chunks = [
            (slide, start)
            for slide in slides
            if slide.slide_id in tiled
            for start in range(0, len(tiled[slide.slide_id][0].coords), _CHUNK)
        ]
        tasks = [
            (slide.path, one.grid, one.coords[start : start + _CHUNK])
            for slide, start in chunks
            for one in [tiled[slide.slide_id][0]]
        ]
        parts: dict[str, dict[int, Float[np.ndarray, "patch feature"] | str]] = {}
        for done in each(read_tiles, tasks, workers=self.work.workers, limits=self.work.limits):
            slide, start = chunks[done.index]
            theirs = parts.setdefault(slide.slide_id, {})
            tiles = done.value
            theirs[start] = tiles.reason if isinstance(tiles, Failure) else self._encode(tiles)
            one, checksum = tiled[slide.slide_id]
            if len(theirs) == len(range(0, len(one.coords), _CHUNK)):
                yield slide, self._finish(slide, one, checksum, parts.pop(slide.slide_id))

    def _encode(
        self, tiles: UInt8[np.ndarray, "patch height width 3"]
    ) -> Float[np.ndarray, "patch feature"]:
        some = torch.split(torch.from_numpy(tiles), self.settings.batch)
        return torch.cat([self.encoder.encode(one.to(self.device)).cpu() for one in some]).numpy()

    def _finish(
        self,
        slide: Slide,
        tiled: TiledSlide,
        checksum: str,
        parts: Mapping[int, Float[np.ndarray, "patch feature"] | str],
    ) -> Row:
        """Write the slide's file, if all of its tiles could be read."""
        for part in parts.values():
            if isinstance(part, str):
                return failed_row(part)
        features = np.concatenate([parts[start] for start in sorted(parts)])
        if not np.isfinite(features).all():
            return failed_row("the encoder made features of it that are not numbers")
        made = {
            "encoder": self.encoder.name,
            "encoder_hash": self.encoder.hash,
            "licence": self.encoder.licence,
            "slide_checksum": checksum,
            "slide_mpp": tiled.slide_mpp,
            "slide_shape": list(tiled.shape),
            "recipe": self._recipe(slide),
            **asdict(tiled.grid),
        }
        write_features(self.work.file(slide), SlideFeatures(features, tiled.coords, made))
        return row_of(len(features), features.shape[1], made)

    def _recipe(self, slide: Slide) -> str:
        """A hash of all that the features depend on but the slide itself."""
        return fingerprint(
            self.settings.tiling.model_dump_json(), self.encoder.hash, str(slide.mpp)
        )
