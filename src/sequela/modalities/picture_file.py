"""One door for every file that holds a mammogram: DICOM, 16-bit PNG, NPY."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from pathlib import Path
from tokenize import TokenError
from typing import Literal

import imagecodecs
import numpy as np
from jaxtyping import UInt
from pydicom.uid import UID

from sequela.errors import DataError, ResourceLimitError
from sequela.importers.dicom_file import BROKEN, read_dicom
from sequela.importers.dicom_header import FOR_PROCESSING, for_processing
from sequela.modalities.dicom_pixels import MOST_PIXELS, stored_values
from sequela.modalities.greyscale import Greyscale, dicom_greyscale

Source = Path | bytes
White = Literal["auto", 4095, 65535]

_PNG = b"\x89PNG\r\n\x1a\n"
_NPY = b"\x93NUMPY"


@dataclass(frozen=True)
class Picture:
    """An image as its file stores it, and how its values look.

    Attributes:
        stored: The values; fewer than the file's where a lower resolution was asked for.
        greyscale: What they look like.
        shape: Height and width of the file's image.
        encoding: Transfer syntax, or PNG or NPY.
        photometric: MONOCHROME1 or MONOCHROME2.
        vendor: Manufacturer, where the file names one.
    """

    stored: UInt[np.ndarray, "height width"]
    greyscale: Greyscale
    shape: tuple[int, int]
    encoding: str
    photometric: str = "MONOCHROME2"
    vendor: str = ""


def open_picture(source: Source, *, white: White = "auto", halvings: int = 0) -> Picture:
    """Decode the file, told apart by its first bytes, whatever its name.

    Args:
        source: The file, or its content.
        white: The value of a PNG or NPY that is shown white.
        halvings: How often the resolution of JPEG 2000 is halved.

    Raises:
        DataError: If it is not one grey image in a form that we read.
        ResourceLimitError: If it declares more pixels than any mammogram has.
    """
    start = _start(source)
    if start.startswith(_PNG):
        return _png(_content(source), white)
    if start.startswith(_NPY):
        return _npy(_content(source), white)
    return _dicom(source, halvings)


def _start(source: Source) -> bytes:
    if isinstance(source, bytes):
        return source[:8]
    try:
        with source.open("rb") as file:
            return file.read(8)
    except OSError as error:
        raise DataError(f"cannot be opened ({type(error).__name__})") from None


def _content(source: Source) -> bytes:
    return source if isinstance(source, bytes) else source.read_bytes()


def _dicom(source: Source, halvings: int) -> Picture:
    dataset = read_dicom(source, pixels=True)
    try:  # pydicom reads an element when it is asked for, so it may fail as late as here
        if for_processing(dataset):
            raise DataError(FOR_PROCESSING)
        stored, bits = stored_values(dataset, halvings=halvings)
        shape = (int(dataset.Rows), int(dataset.Columns))
        smaller = "" if stored.shape == shape else f" at 1/{1 << halvings} resolution"
        return Picture(
            stored,
            dicom_greyscale(dataset, stored, bits),
            shape,
            encoding=UID(dataset.file_meta.TransferSyntaxUID).name + smaller,
            photometric=str(dataset.PhotometricInterpretation),
            vendor=str(dataset.get("Manufacturer") or "").strip(),
        )
    except BROKEN as error:
        raise DataError(f"its DICOM header is broken ({type(error).__name__})") from None


def _png(data: bytes, white: White) -> Picture:
    if len(data) < 33:
        raise DataError("is a truncated PNG")
    width, height, depth, colour = struct.unpack_from(">IIBB", data, 16)
    _require_size(height, width)
    if colour != 0 or depth not in (8, 16):
        raise DataError("is a PNG in colour or of few bits; 8 or 16 bits of grey are expected")
    try:
        stored = imagecodecs.png_decode(data)
    except (RuntimeError, ValueError) as error:  # libpng's own words may be no UTF-8
        raise DataError(f"is a broken PNG ({type(error).__name__})") from None
    return _picture(stored, white, "PNG")


def _npy(data: bytes, white: White) -> Picture:
    try:
        file = io.BytesIO(data)
        version = np.lib.format.read_magic(file)
        read = (
            np.lib.format.read_array_header_1_0
            if version == (1, 0)
            else np.lib.format.read_array_header_2_0
        )
        shape, _, kind = read(file)
        if len(shape) != 2 or kind.kind not in "uif":
            raise DataError(f"is an NPY of {len(shape)} axes and type {kind}; 2 axes are expected")
        _require_size(*shape)
        array = np.load(io.BytesIO(data), allow_pickle=False)
    except (ValueError, EOFError, SyntaxError, TypeError, TokenError) as error:
        raise DataError(f"is a broken NPY ({type(error).__name__})") from None
    return _picture(_integers(array), white, "NPY")


def _require_size(height: int, width: int) -> None:
    if height * width > MOST_PIXELS:
        raise ResourceLimitError(
            f"it declares {height} × {width} pixels, more than any mammogram has "
            f"({MOST_PIXELS / 1e6:g} million)"
        )
    if not height * width:
        raise DataError("it holds no pixel")


def _integers(array: np.ndarray) -> UInt[np.ndarray, "height width"]:
    """The array as 8 or 16 unsigned bits; floating point in 0..1 becomes 0..65,535."""
    if array.dtype.kind == "f":
        if not np.isfinite(array).all():
            raise DataError("holds values that are not numbers (NaN or infinite)")
        if array.min() < 0 or array.max() > 65535:
            raise DataError("holds values outside 0 to 65,535")
        scale = 65535 if array.max() <= 1 else 1
        return (array * scale + 0.5).astype(np.uint16)
    if array.min() < 0 or array.max() > 65535:
        raise DataError("holds values outside 0 to 65,535")
    return array.astype(np.uint8 if array.dtype == np.uint8 else np.uint16)


def _picture(stored: UInt[np.ndarray, "height width"], white: White, encoding: str) -> Picture:
    highest, lowest = int(stored.max()), int(stored.min())
    if highest == lowest:
        raise DataError("it is empty: all its pixels have one value")
    if stored.dtype == np.uint8:
        top = 255
    elif white == "auto":
        top = 4095 if highest <= 4095 else 65535
    else:
        top = int(white)
    if highest > top:
        raise DataError(f"has pixels above {top:,}, the value said to be white")
    table = np.arange(1 << (8 * stored.itemsize), dtype=np.float32) / np.float32(top)
    greyscale = Greyscale(table.clip(max=1.0), f"white at {top:,}")
    height, width = stored.shape
    return Picture(stored, greyscale, (height, width), encoding)
