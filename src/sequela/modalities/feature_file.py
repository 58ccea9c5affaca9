"""Patch features of one slide in a file: ours, and the dialects that others write.

CLAM and TRIDENT write `features` (N × D or 1 × N × D) and `coords`, STAMP writes `feats`; both as
HDF5, which is read in child processes only. Pickles (`.pt`) are never read.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Num
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from sequela.cohort.patient import COORDS, FEATURES, PICKLES
from sequela.errors import DataError, ResourceLimitError
from sequela.storage import atomic

HDF5_ENDINGS = (".h5", ".hdf5")
_METADATA_KEY = "sequela"
_ENCODERS = ("encoder", "extractor", "patch_encoder", "model")
_NAME_OF_ENCODER = re.compile(r"[A-Za-z][\w./:@+-]{0,79}")
_MOST_BYTES = 3 << 30
_PICKLE = (
    "is a pickle, which could run code as it is read, so it is not read; where you trust it, write "
    "{'features': torch.load(FILE, weights_only=True)} with safetensors.torch.save_file"
)


@dataclass(frozen=True)
class SlideFeatures:
    """The patches of one slide as an encoder saw them.

    Attributes:
        features: A row a patch.
        coords: Left and upper edge of each patch; in files of ours, pixels of the largest level.
        made: How they were made, as far as the file says: encoder, mpp, tile …
    """

    features: Float[np.ndarray, "patch feature"]
    coords: Num[np.ndarray, "patch 2"] | None
    made: Mapping[str, Any] = field(default_factory=dict)


def write_features(path: Path, slide: SlideFeatures) -> None:
    """Write a slide's features as safetensors, whole or not at all; the same ones, same bytes.

    Raises:
        ResourceLimitError: If the disk is full.
    """
    tensors = {"features": np.ascontiguousarray(slide.features)}
    if slide.coords is not None:
        tensors["coords"] = np.ascontiguousarray(slide.coords)
    text = json.dumps(dict(slide.made), sort_keys=True, allow_nan=False)
    with atomic(path) as temporary:
        save_file(tensors, temporary, metadata={_METADATA_KEY: text})


def read_features(path: Path) -> SlideFeatures:
    """The features in a safetensors file, ours or another's.

    Raises:
        DataError: If it is none, holds no patch, or not a number a feature.
    """
    with _opened(path) as file:
        names = set(file.keys())
        name = _name_of_features(names)
        coords = file.get_tensor(COORDS) if COORDS in names else None
        return checked(file.get_tensor(name), coords, _made(file))


def read_header(path: Path) -> tuple[int, int, dict[str, Any]]:
    """How many patches, how many numbers a patch, and how they were made; of a safetensors file."""
    with _opened(path) as file:
        *_, patches, width = file.get_slice(_name_of_features(set(file.keys()))).get_shape()
        return patches, width, _made(file)


def read_any_features(path: Path) -> SlideFeatures:
    """The features in a stranger's file, by its ending; for a child process.

    Raises:
        DataError: If it is a pickle, of a form that we do not know, or damaged.
    """
    ending = path.suffix.lower()
    if ending in PICKLES:
        raise DataError(_PICKLE)
    if ending in HDF5_ENDINGS:
        return _read_hdf5(path)
    if ending == ".safetensors":
        return read_features(path)
    raise DataError("is neither HDF5 (.h5) nor safetensors")


def take_over(source: Path, target: Path) -> tuple[int, int, dict[str, Any]]:
    """Check a stranger's features, and write those of HDF5 as safetensors; for a child process.

    Returns:
        How many patches, how many numbers a patch, and how they were made.

    Raises:
        DataError: As `read_any_features` does.
    """
    slide = read_any_features(source)
    if in_place(source) is None:
        write_features(target, slide)
    return len(slide.features), slide.features.shape[1], dict(slide.made)


def in_place(source: Path) -> Path | None:
    """The file itself where it is safetensors, which needs no other form."""
    return source if source.suffix.lower() == ".safetensors" else None


def checked(
    features: np.ndarray, coords: np.ndarray | None, made: Mapping[str, Any]
) -> SlideFeatures:
    """Arrays of a file as features, if they are.

    Raises:
        DataError: If shapes do not fit, there is no patch, or a value is not finite.
    """
    features, coords = _unbatched(features), None if coords is None else _unbatched(coords)
    if features.ndim != 2 or features.dtype.kind != "f" or not features.shape[1]:
        raise DataError(
            f"its features have shape {features.shape} of {features.dtype}; patches × numbers are "
            "expected"
        )
    if not len(features):
        raise DataError("holds no patch: make it again, or take the slide out of the table")
    if coords is not None and coords.shape != (len(features), 2):
        raise DataError(
            f"has {len(features)} features and coords of shape {coords.shape}: they do not belong "
            "together"
        )
    if not np.isfinite(features).all():
        raise DataError("holds features that are not numbers (NaN or infinite): make it again")
    return SlideFeatures(features.astype(np.float32, copy=False), coords, made)


def _unbatched(array: np.ndarray) -> np.ndarray:
    """Without the leading axis of length one that CLAM writes."""
    return array[0] if array.ndim == 3 and len(array) == 1 else array


def _name_of_features(names: set[str]) -> str:
    for name in FEATURES:
        if name in names:
            return name
    raise DataError(f"holds neither {' nor '.join(FEATURES)}")


def _opened(path: Path) -> Any:
    try:
        return safe_open(path, framework="numpy")
    except (OSError, SafetensorError) as error:
        raise DataError("is damaged or no safetensors file") from error


def _made(file: Any) -> dict[str, Any]:
    metadata = file.metadata() or {}
    if _METADATA_KEY not in metadata:
        return _encoder_of(metadata)
    try:
        made = json.loads(metadata[_METADATA_KEY])
    except (ValueError, RecursionError):
        made = None
    if not isinstance(made, dict):
        raise DataError("does not say how it was made: it is damaged")
    return made


def _encoder_of(told: Mapping[str, Any]) -> dict[str, Any]:
    """The encoder, where a stranger's file names one."""
    for name in _ENCODERS:
        value = told.get(name)
        if isinstance(value, bytes):
            value = value.decode(errors="replace")
        if isinstance(value, str) and _NAME_OF_ENCODER.fullmatch(value):
            return {"encoder": value}
    return {}


def _read_hdf5(path: Path) -> SlideFeatures:
    import h5py

    try:
        with h5py.File(path, "r") as file:
            name = _name_of_features(set(file.keys()))
            features = _array(file, name)
            coords = _array(file, COORDS) if COORDS in file else None
            told = {
                key: place.attrs[key]
                for place in (file, file[name])
                for key in _ENCODERS
                if key in place.attrs
            }
    except (OSError, KeyError, RuntimeError, ValueError, TypeError) as error:
        raise DataError("is damaged or no HDF5 file") from error
    return checked(features, coords, _encoder_of(told))


def _array(file: Any, name: str) -> np.ndarray:
    """A dataset that lies in this file: none that links to another is followed."""
    import h5py

    link, found = file.get(name, getlink=True), None
    if isinstance(link, h5py.HardLink):
        found = file[name]
    if not isinstance(found, h5py.Dataset) or found.is_virtual or found.external:
        raise DataError(f"its {name} are not in the file itself")
    if found.dtype.kind not in "fiu":
        raise DataError(f"its {name} are not numbers")
    chunk = math.prod(found.chunks or (0,))  # is unpacked whole, however little of it is used
    if max(found.size, chunk) * found.dtype.itemsize > _MOST_BYTES:
        raise ResourceLimitError(f"its {name} take more than {_MOST_BYTES >> 30} GiB")
    array: np.ndarray = found[()]
    return array
