"""One damaged file, read by the reader that the product reads such files with."""

from __future__ import annotations

import tempfile
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from sequela.errors import SequelaError
from sequela.simulation.specimens import MANIFEST, OUTCOMES, PATIENTS, mutated

CAGED = frozenset(
    {"dicom", "picture", "npy", "fhir-json", "fhir-xml", "hdf5", "slide", "tiff", "xlsx"}
)
"""Kinds that the product reads in child processes."""


@dataclass(frozen=True)
class Trial:
    """A damaged copy of a good file: what it is, and the seed and number of its damage."""

    kind: str
    specimen: Path
    seed: int
    number: int

    def content(self) -> bytes:
        """The damaged bytes."""
        generator = np.random.default_rng([self.seed, self.number])
        return mutated(_bytes(self.specimen), generator)


@cache
def _bytes(path: Path) -> bytes:
    return path.read_bytes()


@dataclass(frozen=True)
class Fate:
    """What became of reading a damaged file.

    Attributes:
        outcome: read, refused, memory or crash.
        reason: Of a crash, its kind and place; no text of it.
        seconds: How long reading took.
    """

    outcome: str
    reason: str
    seconds: float


def tried(trial: Trial) -> Fate:
    """Read the damaged file; what the reader imports is not counted as its time."""
    _warm(trial.kind)
    with tempfile.TemporaryDirectory(prefix="sequela-trial-") as folder:
        began = time.perf_counter()
        outcome, reason = _outcome(trial, Path(folder))
        return Fate(outcome, reason, time.perf_counter() - began)


def _outcome(trial: Trial, folder: Path) -> tuple[str, str]:
    try:
        READERS[trial.kind](trial.content(), folder)
    except SequelaError:
        return "refused", ""
    except MemoryError:
        return "memory", "asks for more memory than a reader may have"
    except BaseException as error:  # noqa: BLE001 - whatever leaves a reader is looked for
        frames = traceback.extract_tb(error.__traceback__)
        ours = [frame for frame in frames if "sequela" in Path(frame.filename).parts]
        places = dict.fromkeys(
            f"{Path(f.filename).name}:{f.lineno}" for f in (ours[-1], frames[-1])
        )
        return "crash", f"{type(error).__name__} at {', '.join(places)}"
    return "read", ""


@cache
def _warm(kind: str) -> None:
    """Import what the reader of a kind needs."""
    if kind == "safetensors":
        import sequela.training.checkpoint
    elif kind in ("dicom", "picture", "npy"):
        import sequela.modalities.mammogram
    elif kind in ("slide", "tiff"):
        import sequela.modalities.tiling
    elif kind == "hdf5":
        import h5py  # noqa: F401

        import sequela.modalities.feature_file  # noqa: F401


def _dicom(content: bytes, folder: Path) -> None:
    from sequela.importers.dicom_header import read_header

    (folder / "file").write_bytes(content)
    read_header(folder / "file")
    _picture(content, folder)


def _picture(content: bytes, folder: Path) -> None:
    from sequela.modalities.mammogram import PixelPolicy, prepare_image

    prepare_image(content, PixelPolicy(size=16))


def _cohort(folder: Path, **files: bytes) -> None:
    from sequela.cohort.checks import check_cohort
    from sequela.cohort.cohort import read_cohort

    whole = {
        "cohort.yaml": MANIFEST,
        "patients.csv": PATIENTS.write_csv().encode(),
        "outcomes.csv": OUTCOMES.write_csv().encode(),
    }
    for name, content in {**whole, **files}.items():
        (folder / name).write_bytes(content)
    for finding in check_cohort(folder):
        str(finding)
    read_cohort(folder)


def _csv(content: bytes, folder: Path) -> None:
    _cohort(folder, **{"patients.csv": content})


def _parquet(content: bytes, folder: Path) -> None:
    manifest = MANIFEST.replace(b"patients.csv", b"patients.parquet")
    _cohort(folder, **{"cohort.yaml": manifest, "patients.parquet": content})


def _yaml(content: bytes, folder: Path) -> None:
    _cohort(folder, **{"cohort.yaml": content})


def _fhir(content: bytes, folder: Path, suffix: str) -> None:
    from sequela.importers.fhir import read_record

    (folder / f"bundle.{suffix}").write_bytes(content)
    read_record(folder / f"bundle.{suffix}", {})


def _safetensors(content: bytes, folder: Path) -> None:
    from sequela.training.checkpoint import read_tensors

    (folder / "checkpoint.safetensors").write_bytes(content)
    read_tensors(folder / "checkpoint.safetensors")


def _bag(content: bytes, folder: Path, ending: str) -> None:
    from sequela.modalities.feature_file import take_over

    (folder / f"bag{ending}").write_bytes(content)
    take_over(folder / f"bag{ending}", folder / "taken.safetensors")


def _slide(content: bytes, folder: Path) -> None:
    from sequela.modalities.tiling import Tiling, read_tiles, tile_slide

    (folder / "slide.svs").write_bytes(content)
    tiled, _ = tile_slide(folder / "slide.svs", Tiling(tile=32), 0.5)
    read_tiles(folder / "slide.svs", tiled.grid, tiled.coords[:16])


def _xlsx(content: bytes, folder: Path) -> None:
    from sequela.importers.spreadsheet import read_sheet

    (folder / "table.xlsx").write_bytes(content)
    read_sheet(folder / "table.xlsx", "TCGA-CDR")


def _gzip(content: bytes, folder: Path) -> None:
    from sequela.importers.tcga_expression import read_table

    (folder / "table.tsv.gz").write_bytes(content)
    read_table(folder / "table.tsv.gz")


def _predictions(content: bytes, folder: Path) -> None:
    from sequela.evaluation.foreign import read_predictions

    (folder / "predictions.parquet").write_bytes(content)
    read_predictions(folder / "predictions.parquet")


READERS: Mapping[str, Callable[[bytes, Path], None]] = {
    "dicom": _dicom,
    "picture": _picture,
    "npy": _picture,
    "csv": _csv,
    "parquet": _parquet,
    "yaml": _yaml,
    "fhir-json": lambda content, folder: _fhir(content, folder, "json"),
    "fhir-xml": lambda content, folder: _fhir(content, folder, "xml"),
    "safetensors": _safetensors,
    "predictions": _predictions,
    "features": lambda content, folder: _bag(content, folder, ".safetensors"),
    "hdf5": lambda content, folder: _bag(content, folder, ".h5"),
    "slide": _slide,
    "tiff": _slide,
    "xlsx": _xlsx,
    "gzip": _gzip,
}
