"""JPEG lossless, process 14, selection value 1: the encoding of most older mammography archives.

ITU-T T.81, annex H. No library in reach writes predictor 1, so this does: each pixel is coded as
its difference from the pixel to its left, with a Huffman table that suits noisy 12-bit images.
"""

from __future__ import annotations

import struct

import numpy as np
from jaxtyping import Int, UInt16

# Categories (bit lengths of a difference) by length of their Huffman code; T.81 C.2 assigns the
# codes in this order. Differences of 4 to 8 bits are noise, 0 is air.
_BY_LENGTH = {2: (0,), 3: (5, 6, 7), 4: (4, 8), 5: (3, 9), 6: (1, 2, 10, 11)}
_BY_LENGTH[7] = (12, 13, 14, 15, 16)


def encode_jpeg_lossless(pixels: UInt16[np.ndarray, "height width"], bits: int) -> bytes:
    """A JPEG stream that decodes to `pixels`, bit for bit."""
    height, width = pixels.shape
    frame = struct.pack(">BHHB3B", bits, height, width, 1, 1, 0x11, 0)
    scan = struct.pack(">B2B3B", 1, 1, 0, 1, 0, 0)  # predictor 1, no point transform
    parts = (
        b"\xff\xd8",
        _segment(0xC3, frame),
        _segment(0xC4, _huffman_table()),
        _segment(0xDA, scan),
        _entropy_coded(_differences(pixels, bits)),
        b"\xff\xd9",
    )
    return b"".join(parts)


def _segment(marker: int, content: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def _huffman_table() -> bytes:
    counts = bytes(len(_BY_LENGTH.get(length, ())) for length in range(1, 17))
    values = bytes(value for length in sorted(_BY_LENGTH) for value in _BY_LENGTH[length])
    return b"\x00" + counts + values


def _codes() -> tuple[Int[np.ndarray, " category"], Int[np.ndarray, " category"]]:
    """The Huffman code of each category, and its length."""
    codes, lengths = np.zeros(17, dtype=np.int64), np.zeros(17, dtype=np.int64)
    code, last = 0, 0
    for length in sorted(_BY_LENGTH):
        code <<= length - last
        for category in _BY_LENGTH[length]:
            codes[category], lengths[category] = code, length
            code += 1
        last = length
    return codes, lengths


def _differences(
    pixels: UInt16[np.ndarray, "height width"], bits: int
) -> Int[np.ndarray, " pixel"]:
    """Each pixel less the one to its left, modulo 65536; in the first column, the one above."""
    values = pixels.astype(np.int64)
    above = np.concatenate(([1 << (bits - 1)], values[:-1, 0]))
    left = np.concatenate((above[:, None], values[:, :-1]), axis=1)
    return np.asarray((values - left + 32767).ravel() % 65536 - 32767)


def _entropy_coded(differences: Int[np.ndarray, " pixel"]) -> bytes:
    codes, lengths = _codes()
    category = np.frexp(np.abs(differences).astype(np.float64))[1].astype(np.int64)
    extra = np.where(category == 16, 0, category)  # 32768 needs no further bits
    low = np.where(differences < 0, differences - 1, differences) & ((1 << extra) - 1)
    word, size = codes[category] << extra | low, lengths[category] + extra
    end = np.cumsum(size)
    shift = np.repeat(end, size) - 1 - np.arange(end[-1])
    stream = (np.repeat(word, size) >> shift & 1).astype(np.uint8)
    padding = np.ones(-len(stream) % 8, dtype=np.uint8)
    packed = np.packbits(np.concatenate((stream, padding))).tobytes()
    return packed.replace(b"\xff", b"\xff\x00")
