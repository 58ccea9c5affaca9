"""Pixels as the bytes of a transfer syntax, every one of them lossless."""

from __future__ import annotations

from collections.abc import Callable

import imagecodecs
import numpy as np
from jaxtyping import UInt16
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)
from rle.utils import encode_pixel_data

from sequela.simulation.jpeg_lossless import encode_jpeg_lossless
from sequela.simulation.settings import TransferSyntax

Pixels = UInt16[np.ndarray, "height width"]

UIDS: dict[TransferSyntax, UID] = {
    "explicit": ExplicitVRLittleEndian,
    "implicit": ImplicitVRLittleEndian,
    "deflated": DeflatedExplicitVRLittleEndian,
    "rle": RLELossless,
    "jpeg-ls": JPEGLSLossless,
    "jpeg-2000": JPEG2000Lossless,
    "jpeg-lossless-sv1": JPEGLosslessSV1,
    "jpeg-lossless": JPEGLossless,
}


def encode_pixels(pixels: Pixels, syntax: TransferSyntax, bits: int) -> bytes:
    """The value of PixelData: native values, or one encapsulated frame."""
    encode = _ENCODERS.get(syntax)
    if encode is None:
        return pixels.astype("<u2").tobytes()
    return encapsulate([encode(np.ascontiguousarray(pixels), bits)])


def _rle(pixels: Pixels, bits: int) -> bytes:
    """RLE with the segments of PS3.5 annex G: high bytes, then low bytes."""
    rows, columns = pixels.shape
    frame = {"rows": rows, "columns": columns, "samples_per_pixel": 1, "bits_allocated": 16}
    source = pixels.astype("<u2").tobytes()
    return bytes(encode_pixel_data(source, byteorder="<", number_of_frames=1, **frame))


def _jpeg_ls(pixels: Pixels, bits: int) -> bytes:
    return bytes(imagecodecs.jpegls_encode(pixels, level=0))


def _jpeg_2000(pixels: Pixels, bits: int) -> bytes:
    return bytes(
        imagecodecs.jpeg2k_encode(
            pixels, level=0, reversible=True, bitspersample=bits, codecformat="J2K", numthreads=1
        )
    )


def _jpeg_lossless(pixels: Pixels, bits: int) -> bytes:
    return bytes(imagecodecs.ljpeg_encode(pixels, bitspersample=bits))


_ENCODERS: dict[TransferSyntax, Callable[[Pixels, int], bytes]] = {
    "rle": _rle,
    "jpeg-ls": _jpeg_ls,
    "jpeg-2000": _jpeg_2000,
    "jpeg-lossless-sv1": encode_jpeg_lossless,
    "jpeg-lossless": _jpeg_lossless,
}
