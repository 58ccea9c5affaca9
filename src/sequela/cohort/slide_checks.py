"""Rules for the slides table: how large a pixel is, and what a feature file's header says."""

from __future__ import annotations

import json
import struct
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from sequela.cohort.findings import Finding, finding
from sequela.cohort.patient import BELIEVABLE_MPP, COORDS, FEATURES, PICKLES
from sequela.cohort.table_files import ROW
from sequela.cohort.tables import Table

_SAFETENSORS = ".safetensors"
_KNOWN = (".h5", ".hdf5", _SAFETENSORS)
_LONGEST_HEADER = 1 << 24


def slide_findings(slides: Table, folder: Path) -> Iterator[Finding]:
    """What is wrong with resolutions and feature files, before any of them is read.

    Of safetensors the header is read, which holds shapes alone; of HDF5 nothing, for only a child
    process may.
    """
    yield from _resolutions(slides)
    if not slides.has("features"):
        return
    widths: dict[int, int] = {}
    for row, text in slides.typed.select(ROW, "features").drop_nulls().iter_rows():
        ending = Path(text).suffix.lower()
        if ending not in _KNOWN:
            yield finding("C071" if ending in PICKLES else "C072", slides.file, row, "features")
        elif ending == _SAFETENSORS and (folder / text).is_file():
            fault, width = _width(folder / text)
            if fault:
                yield finding("C074", slides.file, row, "features", fault=fault)
            else:
                widths[row] = width
    yield from _of_another_encoder(slides, widths)


def _resolutions(slides: Table) -> Iterator[Finding]:
    if slides.has("mpp"):
        least, most = BELIEVABLE_MPP
        for row, mpp in slides.typed.select(ROW, "mpp").drop_nulls().iter_rows():
            if not least <= mpp <= most:
                yield finding("C073", slides.file, row, "mpp", least=least, most=most)


def _of_another_encoder(slides: Table, widths: dict[int, int]) -> Iterator[Finding]:
    counts = Counter(widths.values())
    if len(counts) > 1:
        usual, count = counts.most_common(1)[0]
        for row, width in widths.items():
            if width != usual:
                words = {"width": width, "usual": usual, "count": count}
                yield finding("C075", slides.file, row, "features", **words)


def _width(path: Path) -> tuple[str, int]:
    """What is wrong with a file of features, or else how many numbers a patch has."""
    header = _header(path)
    if header is None:
        return "is damaged or no safetensors file", 0
    shapes = {name: shape for name, one in header.items() if (shape := _shape(one))}
    named = next((name for name in FEATURES if name in shapes), None)
    if named is None:
        return f"holds neither {' nor '.join(FEATURES)}", 0
    features, coords = (_plain(shapes.get(name)) for name in (named, COORDS))
    if features is None or len(features) != 2 or not features[1]:
        return "holds features that are not patches × numbers", 0
    if not features[0]:
        return "holds no patch", 0
    if coords is not None and coords != [features[0], 2]:
        return f"has {features[0]} features, and coords that are not so many pairs", 0
    return "", features[1]


def _shape(entry: object) -> list[int] | None:
    shape = entry.get("shape") if isinstance(entry, dict) else None
    whole = isinstance(shape, list) and all(isinstance(side, int) for side in shape)
    return shape if whole else None


def _plain(shape: list[int] | None) -> list[int] | None:
    """Without the leading axis of length one that CLAM writes."""
    return shape[1:] if shape and len(shape) == 3 and shape[0] == 1 else shape


def _header(path: Path) -> dict[str, object] | None:
    with path.open("rb") as file:
        start = file.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        if not 2 <= length <= _LONGEST_HEADER:
            return None
        try:
            header = json.loads(file.read(length))
        except (ValueError, RecursionError):
            return None
    return header if isinstance(header, dict) else None
