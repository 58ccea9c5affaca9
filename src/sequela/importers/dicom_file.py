"""Opening a DICOM file that may be anything: empty, text, truncated, a bomb."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import imagecodecs
import numpy as np
from pydicom import Dataset, dcmread
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from sequela.errors import DataError, ResourceLimitError

BROKEN = (
    *(AttributeError, EOFError, KeyError, IndexError, TypeError, ValueError, struct.error),
    *(NotImplementedError, RecursionError, OverflowError, BytesLengthException, zlib.error),
)
"""What pydicom raises on files that break the standard."""

_META = 132  # preamble and "DICM"
_PEEK = 4096
_HEADER_BYTES = 8 << 20  # a header is read from at most so much inflated data
_MOST_INFLATED = 256 << 20  # a mammogram of 80 Mpx with 16 bits, and room
_DEFLATED = str(DeflatedExplicitVRLittleEndian).encode()
_PLAIN = b"1.2.840.10008.1.2.1\0\0\0"  # explicit little endian, padded to the same length
_BARE_STARTS = (b"\x02\x00", b"\x08\x00")  # data sets stored without a preamble


def read_dicom(source: Path | bytes, *, pixels: bool) -> Dataset:
    """The data set of a file, with or without its pixel data.

    Raises:
        DataError: If it is not DICOM, or breaks the standard so that it cannot be read.
        ResourceLimitError: If its deflated data set inflates beyond any mammogram.
    """
    try:
        with io.BytesIO(source) if isinstance(source, bytes) else source.open("rb") as file:
            return _read(file, pixels=pixels)
    except InvalidDicomError:
        raise DataError("is not a DICOM file") from None
    except OSError as error:
        raise DataError(f"cannot be opened ({type(error).__name__})") from None
    except BROKEN as error:
        raise DataError(f"its DICOM header is broken ({type(error).__name__})") from None


def _read(file: io.BytesIO | io.BufferedReader, *, pixels: bool) -> Dataset:
    start = file.read(_PEEK)
    file.seek(0)
    if not start:
        raise DataError("is empty")
    bare = start[128:_META] != b"DICM"
    if bare and not start.startswith(_BARE_STARTS):
        raise DataError("is not a DICOM file")
    deflated = _DEFLATED in start[_META : _meta_end(start)]
    if _DEFLATED in start and not deflated:  # pydicom would inflate it without a bound
        raise DataError("its DICOM header is broken (no length of the file meta information)")
    if deflated:
        file = _inflated(file.read(), pixels=pixels)
    dataset = dcmread(file, force=bare, stop_before_pixels=not pixels)
    if not len(dataset):
        raise DataError("is truncated: it ends within its header or its compressed image")
    if deflated:
        dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    elif not dataset.file_meta.get("TransferSyntaxUID"):
        dataset.file_meta.TransferSyntaxUID = _as_read(dataset)
    if not UID(dataset.file_meta.TransferSyntaxUID).is_transfer_syntax:
        raise DataError("its header names no transfer syntax that we know")
    return dataset


def _as_read(dataset: Dataset) -> UID:
    """The encoding that pydicom found in a file that names none."""
    implicit, little_endian = dataset.original_encoding
    if not little_endian:
        raise DataError("its header does not name a transfer syntax")
    return ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian


def _meta_end(start: bytes) -> int:
    """Where the file meta information ends, by its group length (0 if there is none)."""
    tag, size = struct.unpack_from("<4s4xI", start.ljust(_PEEK), _META)
    return _META + 12 + int(size) if tag == b"\x02\x00\x00\x00" else 0


def _inflated(data: bytes, *, pixels: bool) -> io.BytesIO:
    """The same file in explicit little endian; to read only the header, only its beginning."""
    end = _meta_end(data)
    meta = data[:end].replace(_DEFLATED, _PLAIN, 1)
    body = data[end:]
    if not pixels:
        try:
            start = zlib.decompressobj(-zlib.MAX_WBITS).decompress(body, _HEADER_BYTES)
        except zlib.error:
            raise DataError("its deflated data set is broken") from None
        return io.BytesIO(meta + start)
    room = np.empty(end + _MOST_INFLATED, np.uint8).data  # touched only as far as needed
    room[:end] = meta
    try:
        inflated = imagecodecs.deflate_decode(body, raw=True, out=room[end:])
    except imagecodecs.DeflateError:
        raise ResourceLimitError(
            f"its deflated data set is broken, or inflates beyond {_MOST_INFLATED >> 20} MiB"
        ) from None
    return io.BytesIO(room[: end + len(inflated)])
