"""The stored values of a DICOM image, decoded only after its declared size was believed."""

from __future__ import annotations

import io

import imagecodecs
import numpy as np
from jaxtyping import UInt
from PIL import Image
from pydicom import Dataset
from pydicom.encaps import generate_frames
from pydicom.uid import (
    UID,
    JPEG2000TransferSyntaxes,
    JPEGLSTransferSyntaxes,
    JPEGTransferSyntaxes,
    RLELossless,
)

from sequela.errors import DataError, ResourceLimitError
from sequela.importers.dicom_file import BROKEN
from sequela.modalities.codestream import Codestream, read_codestream

MOST_PIXELS = 80_000_000
"""More than the largest digitised film; a greater declaration is taken for an attack."""

Stored = UInt[np.ndarray, "height width"]


def stored_values(dataset: Dataset, *, halvings: int = 0) -> tuple[Stored, int]:
    """The image as stored, its bits as unsigned integers, and how many low bits are meant.

    Args:
        dataset: The file, pixel data included.
        halvings: How often the resolution is halved where the encoding is JPEG 2000, whose
            streams hold lower resolutions; then these are the wavelet's means, not the pixels.

    Raises:
        DataError: If the file holds no single grey image, less than it declares, or a stream
            that cannot be decoded.
        ResourceLimitError: If it declares more than `MOST_PIXELS`.
    """
    rows, columns, bits = declared_size(dataset)
    syntax = UID(dataset.file_meta.TransferSyntaxUID)
    kind = np.dtype(np.uint8 if dataset.BitsAllocated == 8 else np.uint16)
    if not syntax.is_compressed or syntax.is_deflated:
        return _native(dataset, syntax, (rows, columns), kind), bits
    frame = _only_frame(dataset)
    if syntax == RLELossless:
        return _run_length(frame, (rows, columns), kind), bits
    stream = read_codestream(frame)
    if (stream.height, stream.width, stream.components) != (rows, columns, 1):
        raise DataError(
            f"its compressed image is {stream.height} × {stream.width} × {stream.components}, "
            f"its header declares {rows} × {columns} × 1"
        )
    if halvings and syntax in JPEG2000TransferSyntaxes and not dataset.PixelRepresentation:
        return _smaller(frame, stream, halvings).astype(kind, copy=False), bits
    values = _decoded(frame, syntax, dataset)
    if syntax in JPEG2000TransferSyntaxes:  # as pydicom: the stream's precision is believed
        bits = max(bits, min(stream.precision, 8 * kind.itemsize))
    return values.view(f"u{values.itemsize}").astype(kind, copy=False), bits


def declared_size(dataset: Dataset) -> tuple[int, int, int]:
    """Rows, columns and stored bits of a header that declares one grey image.

    Raises:
        DataError: If it declares none, several, colour or floating-point values.
        ResourceLimitError: If it declares more than `MOST_PIXELS`.
    """
    names = ("Rows", "Columns", "BitsAllocated", "BitsStored")
    lacking = [name for name in names if not dataset.get(name)]
    if lacking or "PixelData" not in dataset:
        raise DataError(f"it holds no image: {', '.join(lacking) or 'PixelData'} is missing")
    rows, columns, allocated, stored = (int(dataset[name].value) for name in names)
    frames = int(dataset.get("NumberOfFrames") or 1)
    if rows * columns * frames > MOST_PIXELS:
        raise ResourceLimitError(
            f"it declares {rows} × {columns} × {frames} pixels, more than any mammogram has "
            f"({MOST_PIXELS / 1e6:g} million)"
        )
    if frames != 1 or int(dataset.get("SamplesPerPixel") or 1) != 1:
        raise DataError("it holds several frames or colours, not one grey image")
    if dataset.get("PhotometricInterpretation") not in ("MONOCHROME1", "MONOCHROME2"):
        raise DataError("its photometric interpretation is not MONOCHROME1 or MONOCHROME2")
    if allocated not in (8, 16) or not 1 <= stored <= allocated:
        raise DataError(f"it stores {stored} of {allocated} bits; 8 or 16 are expected")
    return rows, columns, stored


def _native(dataset: Dataset, syntax: UID, shape: tuple[int, int], kind: np.dtype) -> Stored:
    count = shape[0] * shape[1]
    data = dataset.PixelData
    if len(data) < count * kind.itemsize:
        share = len(data) / (count * kind.itemsize)
        raise DataError(f"is truncated: it holds {share:.0%} of the pixels it declares")
    if not syntax.is_little_endian:
        swapped = _by_pydicom(dataset)
        native: Stored = swapped.astype(swapped.dtype.newbyteorder("=")).view(f"u{kind.itemsize}")
        return native
    return np.frombuffer(data, kind.newbyteorder("<"), count).reshape(shape)


def _only_frame(dataset: Dataset) -> bytes:
    try:
        return next(generate_frames(dataset.PixelData, number_of_frames=1))
    except (*BROKEN, StopIteration) as error:
        raise DataError(f"its compressed image is broken ({type(error).__name__})") from None


def _run_length(frame: bytes, shape: tuple[int, int], kind: np.dtype) -> Stored:
    count = shape[0] * shape[1]
    try:
        data = imagecodecs.dicomrle_decode(frame, kind.newbyteorder("<"))
    except (RuntimeError, *BROKEN) as error:
        raise DataError(f"its compressed image is broken ({type(error).__name__})") from None
    if len(data) < count * kind.itemsize:
        raise DataError("is truncated: it holds fewer pixels than it declares")
    return np.frombuffer(data, kind.newbyteorder("<"), count).reshape(shape)


def _decoded(frame: bytes, syntax: UID, dataset: Dataset) -> np.ndarray:
    try:
        if syntax in JPEG2000TransferSyntaxes:
            return imagecodecs.jpeg2k_decode(frame, numthreads=1)
        if syntax in JPEGLSTransferSyntaxes:
            return imagecodecs.jpegls_decode(frame)
        if syntax in JPEGTransferSyntaxes:
            return imagecodecs.jpeg8_decode(frame)
    except RuntimeError as error:
        raise DataError(f"its compressed image is broken ({type(error).__name__})") from None
    return _by_pydicom(dataset)


def _smaller(frame: bytes, stream: Codestream, halvings: int) -> Stored:
    """A lower resolution of a JPEG 2000 stream; Pillow scales more than 8 bits up to 16."""
    try:
        with Image.open(io.BytesIO(frame), formats=["JPEG2000"]) as image:
            image.reduce = halvings  # type: ignore[assignment, method-assign]
            image.load()
            values = np.asarray(image)
    except (OSError, *BROKEN) as error:
        raise DataError(
            f"its compressed image has no lower resolution, or is broken ({type(error).__name__})"
        ) from None
    return values >> (16 - stream.precision) if values.itemsize == 2 else values


def _by_pydicom(dataset: Dataset) -> np.ndarray:
    try:
        return dataset.pixel_array
    except (RuntimeError, *BROKEN) as error:
        raise DataError(
            f"its encoding ({UID(dataset.file_meta.TransferSyntaxUID).name}) cannot be decoded "
            f"here ({type(error).__name__})"
        ) from None
