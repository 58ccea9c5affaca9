"""JPEG tiles of a plain TIFF or SVS, decoded one by one without a slide library in between.

The pixels are those of OpenSlide's `read_region`, which decodes the same JPEGs with the same
library and then converts them three times.
"""

from __future__ import annotations

import contextlib
import struct
from collections import OrderedDict
from pathlib import Path

import imagecodecs
import numpy as np
import tifffile
from jaxtyping import UInt8

from sequela.errors import DataError

_JPEG, _RGB, _YCBCR = 7, 2, 6
_CACHED = 96 << 20
TIFF_FAULTS = (
    *(tifffile.TiffFileError, ValueError, KeyError, IndexError, OSError, RuntimeError),
    *(TypeError, AttributeError, ZeroDivisionError, OverflowError, struct.error),
)
"""What tifffile raises on broken files."""


class JpegTiles:
    """One level of a TIFF whose tiles are all plain JPEG, in 8-bit colour.

    Args:
        page: The level.
    """

    def __init__(self, page: tifffile.TiffPage) -> None:
        self._page = page
        self.height, self.width = page.imagelength, page.imagewidth
        self.tile = (page.tilelength, page.tilewidth)
        self._across = -(-self.width // page.tilewidth)
        self._colours = "YCBCR" if page.photometric == _YCBCR else "RGB"
        self._decoded: OrderedDict[int, UInt8[np.ndarray, "height width 3"]] = OrderedDict()
        self._most = max(2, _CACHED // (3 * page.tilelength * page.tilewidth))

    def read(self, x: int, y: int, width: int, height: int) -> UInt8[np.ndarray, "height width 3"]:
        """Some pixels of the level, all inside it.

        Raises:
            DataError: If a tile cannot be decoded.
        """
        down, right = self.tile
        if (width, height) == (right, down) and not x % right and not y % down:
            return self._cut(y // down, x // right)
        region = np.empty((height, width, 3), dtype=np.uint8)
        for row in range(y // down, -(-(y + height) // down)):
            for column in range(x // right, -(-(x + width) // right)):
                tile = self._tile(row, column)
                top, left = row * down - y, column * right - x
                into = (_span(top, down, height), _span(left, right, width))
                out_of = (_span(-top, height, down), _span(-left, width, right))
                region[into] = tile[out_of]
        return region

    def _cut(self, row: int, column: int) -> UInt8[np.ndarray, "height width 3"]:
        """A tile that is asked for alone, so not kept."""
        return self._decode(row * self._across + column)

    def _tile(self, row: int, column: int) -> UInt8[np.ndarray, "height width 3"]:
        index = row * self._across + column
        if index in self._decoded:
            self._decoded.move_to_end(index)
            return self._decoded[index]
        self._decoded[index] = tile = self._decode(index)
        if len(self._decoded) > self._most:
            self._decoded.popitem(last=False)
        return tile

    def _decode(self, index: int) -> UInt8[np.ndarray, "height width 3"]:
        file = self._page.parent.filehandle
        file.seek(self._page.dataoffsets[index])
        data = file.read(self._page.databytecounts[index])
        try:
            tile: np.ndarray = imagecodecs.jpeg8_decode(
                data, tables=self._page.jpegtables, colorspace=self._colours, outcolorspace="RGB"
            )
        except (imagecodecs.Jpeg8Error, ValueError) as error:
            raise DataError("a tile of it is no JPEG that can be decoded: it is damaged") from error
        if tile.shape != (*self.tile, 3):
            raise DataError("a tile of it has another size than the file says: it is damaged")
        return tile


def _span(start: int, length: int, end: int) -> slice:
    return slice(max(start, 0), min(start + length, end))


def plain_jpeg_levels(path: Path) -> dict[tuple[int, int], JpegTiles]:
    """The levels that are plain JPEG tiles, by width and height; none where the file is no TIFF."""
    with contextlib.suppress(*TIFF_FAULTS):
        pages = [
            page for page in tifffile.TiffFile(path).pages if isinstance(page, tifffile.TiffPage)
        ]
        plain = [page for page in pages if _is_plain(page)]
        sizes = [(page.imagewidth, page.imagelength) for page in plain]
        return {
            size: JpegTiles(page)
            for size, page in zip(sizes, plain, strict=True)
            if sizes.count(size) == 1
        }
    return {}


def _is_plain(page: tifffile.TiffPage) -> bool:
    """Whether every tile is there, and is a JPEG of three 8-bit colours."""
    return bool(
        page.is_tiled
        and page.compression == _JPEG
        and page.photometric in (_RGB, _YCBCR)
        and page.planarconfig == 1
        and page.samplesperpixel == 3
        and page.bitspersample == 8
        and page.imagedepth == 1
        and len(page.databytecounts) == len(page.dataoffsets)
        and all(page.databytecounts)
    )
