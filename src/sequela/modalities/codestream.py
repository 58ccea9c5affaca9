"""What a compressed frame says of its own size, read before anything is decoded."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from sequela.errors import DataError

_JPEG_FRAME_MARKERS = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}
_JPEG_BARE_MARKERS = {0x01, *range(0xD0, 0xD9)}
_J2K_START = b"\xff\x4f\xff\x51"


@dataclass(frozen=True)
class Codestream:
    """Size and precision in the header of a JPEG, JPEG-LS or JPEG 2000 stream."""

    height: int
    width: int
    components: int
    precision: int


def read_codestream(frame: bytes) -> Codestream:
    """The size that the stream declares (ITU-T T.81 B.2.2, T.87 C.2.2, T.800 A.5.1).

    Raises:
        DataError: If it is not such a stream, or ends before it says.
    """
    try:
        if frame.startswith(b"\xff\xd8"):
            return _jpeg(frame)
        start = frame.find(_J2K_START, 0, 4096)  # past the boxes of a JP2 file, if any
        if start >= 0:
            return _jpeg_2000(frame, start)
    except struct.error:
        raise DataError("its compressed image ends within its own header") from None
    raise DataError("its compressed image is not in the encoding that the header names")


def _jpeg(frame: bytes) -> Codestream:
    place = 2
    while True:
        prefix, marker = struct.unpack_from(">BB", frame, place)
        if prefix != 0xFF:
            raise DataError("its compressed image has a broken header")
        if marker == 0xFF:  # a fill byte before the marker
            place += 1
        elif marker in _JPEG_BARE_MARKERS:
            place += 2
        elif marker in _JPEG_FRAME_MARKERS:
            precision, height, width, components = struct.unpack_from(">BHHB", frame, place + 4)
            return Codestream(height, width, components, precision)
        else:
            place += 2 + int(struct.unpack_from(">H", frame, place + 2)[0])


def _jpeg_2000(frame: bytes, start: int) -> Codestream:
    right, bottom, left, top = struct.unpack_from(">4I", frame, start + 8)
    components, precision = struct.unpack_from(">HB", frame, start + 40)
    return Codestream(bottom - top, right - left, components, (precision & 0x7F) + 1)
