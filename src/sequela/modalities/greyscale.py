"""From stored values to what the radiologist saw: the DICOM grey-scale chain as one table."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, UInt
from pydicom import Dataset
from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut

from sequela.errors import DataError
from sequela.importers.dicom_file import BROKEN


@dataclass(frozen=True)
class Greyscale:
    """What each stored value looks like: 0 is black, 1 is white, breast tissue is bright.

    Attributes:
        table: Brightness of each stored value, its bits read as an unsigned integer.
        rule: What gave it: VOI LUT, window (with its function) or pixel range.
        warnings: What was odd in the header.
    """

    table: Float[np.ndarray, " value"]
    rule: str
    warnings: tuple[str, ...] = ()


def dicom_greyscale(
    dataset: Dataset, stored: UInt[np.ndarray, "height width"], bits: int
) -> Greyscale:
    """The grey-scale chain that a DICOM header describes (PS3.3 C.11.1, C.11.2, C.7.6.3.1.2).

    Modality LUT or rescale → VOI LUT, else the first window, else the image's own range →
    MONOCHROME1 inverted → padding black.

    Every value that `bits` can hold goes through pydicom's own functions once, instead of every
    pixel; the bits above are ignored, as they may hold overlays.

    Raises:
        DataError: If a table or window in the header cannot be applied.
    """
    values = _meanings(dataset, bits)
    padding = _padding(dataset, values)
    try:
        scaled = apply_modality_lut(values, dataset)
        shown, (black, white), rule, warnings = _shown(dataset, scaled, values, stored, padding)
    except BROKEN as error:
        raise DataError(f"its grey-scale tables are broken ({type(error).__name__})") from None
    if white == black:
        raise DataError("it is empty: all its pixels have one value")
    table = np.clip((shown - black) / (white - black), 0.0, 1.0)
    if dataset.PhotometricInterpretation == "MONOCHROME1":
        table = 1.0 - table
    table[padding] = 0.0
    whole = np.tile(table.astype(np.float32), (256**stored.itemsize) >> bits)
    return Greyscale(whole, rule, tuple(warnings))


def _meanings(dataset: Dataset, bits: int) -> Int[np.ndarray, " value"]:
    """The integer that each pattern of `bits` stands for."""
    patterns = np.arange(1 << bits, dtype=np.int32)
    signed = int(dataset.get("PixelRepresentation") or 0) == 1
    return np.where(signed & (patterns >> (bits - 1) == 1), patterns - (1 << bits), patterns)


def _padding(dataset: Dataset, values: Int[np.ndarray, " value"]) -> np.ndarray:
    first = dataset.get("PixelPaddingValue")
    if first is None:
        return np.zeros(len(values), bool)
    last = dataset.get("PixelPaddingRangeLimit")
    low, high = sorted((int(first), int(first if last is None else last)))
    return (values >= low) & (values <= high)


def _shown(
    dataset: Dataset,
    scaled: np.ndarray,
    values: Int[np.ndarray, " value"],
    stored: UInt[np.ndarray, "height width"],
    padding: np.ndarray,
) -> tuple[np.ndarray, tuple[float, float], str, list[str]]:
    """Displayed values, those that are black and white, the rule, and warnings."""
    if _has_voi_table(dataset):
        return _by_table(dataset, scaled)
    warnings: list[str] = []
    if "WindowWidth" in dataset or "WindowCenter" in dataset:
        function = str(dataset.get("VOILUTFunction") or "LINEAR").upper()
        if _usable_window(dataset, function):
            several = dataset["WindowCenter"].VM
            which = f" (first of {several})" if several > 1 else ""
            return *_by_window(dataset, scaled), f"window {function}{which}", warnings
        warnings.append("has a window that cannot be used; the range of its pixels is")
    present = np.zeros(256**stored.itemsize, bool)
    present[stored] = True
    seen = scaled[present.reshape(-1, len(values)).any(axis=0) & ~padding]
    if not len(seen):
        raise DataError("it is empty: all its pixels are padding")
    return scaled, (float(seen.min()), float(seen.max())), "pixel range", warnings


def _has_voi_table(dataset: Dataset) -> bool:
    items = dataset.get("VOILUTSequence")
    return bool(items) and "LUTDescriptor" in items[0] and "LUTData" in items[0]


def _by_table(
    dataset: Dataset, scaled: np.ndarray
) -> tuple[np.ndarray, tuple[float, float], str, list[str]]:
    shown = apply_voi_lut(scaled, dataset)
    declared = int(dataset.VOILUTSequence[0].LUTDescriptor[2])
    needed = int(shown.max()).bit_length()
    odd = [f"has a VOI LUT of {needed} bits declared as {declared}"] if needed < declared else []
    white = (1 << min(needed, declared)) - 1
    return shown.astype(np.float64), (0.0, float(white)), "VOI LUT", odd


def _usable_window(dataset: Dataset, function: str) -> bool:
    try:
        center, width = (
            float(value[0] if dataset[name].VM > 1 else value)
            for name in ("WindowCenter", "WindowWidth")
            for value in [dataset[name].value]
        )
    except (KeyError, TypeError, ValueError):
        return False
    least = {"LINEAR": 1.0, "LINEAR_EXACT": 0.0, "SIGMOID": 0.0}.get(function, math.inf)
    return math.isfinite(center) and (width > least or width == least == 1.0)


def _by_window(dataset: Dataset, scaled: np.ndarray) -> tuple[np.ndarray, tuple[float, float]]:
    with np.errstate(over="ignore"):
        shown = apply_voi_lut(scaled, dataset)
        # What a window gives far outside of it, on either side, is its black and its white.
        black, white = apply_voi_lut(np.array([-1e30, 1e30]), dataset)
    return shown, (float(black), float(white))
