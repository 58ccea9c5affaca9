"""From brightness to the values that a file stores, and the DICOM elements that lead back.

DICOM PS3.3 C.11.2: a VOI LUT or a window maps stored values to brightness; MONOCHROME1 then shows
the lowest value white (C.7.6.3.1.2).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt16
from pydicom.dataset import Dataset

from sequela.simulation.settings import Display

_SIGMOID_MARGIN = 0.004  # brightness that a sigmoid cannot reach at either end
_LUT_GAMMA = 0.6


@dataclass(frozen=True)
class Detector:
    """The values that a vendor's files use.

    Attributes:
        bits: Bits stored.
        low: Value of black where the display is linear.
        high: Value of white.
        padding: Whether pixels outside the breast hold a padding value.
    """

    bits: int
    low: int
    high: int
    padding: bool

    @property
    def largest(self) -> int:
        """The largest value that fits."""
        return (1 << self.bits) - 1


def stored_pixels(
    brightness: Float[np.ndarray, "height width"], display: Display, detector: Detector
) -> UInt16[np.ndarray, "height width"]:
    """The values to store so that `display_elements` shows `brightness`."""
    kind, inverted = _kind(display)
    shown = 1 - brightness if inverted else brightness
    width = detector.high - detector.low
    if kind == "sigmoid":
        inside = shown.clip(_SIGMOID_MARGIN, 1 - _SIGMOID_MARGIN)
        centre, slope = _sigmoid_window(detector)
        values = centre + slope / 4 * np.log(inside / (1 - inside))
    elif kind == "lut":
        values = detector.low + width * shown**_LUT_GAMMA
    else:
        values = detector.low + width * shown
    pixels: UInt16[np.ndarray, "height width"] = np.rint(values).astype(np.uint16)
    if detector.padding:
        pixels[brightness == 0] = padding_value(display, detector)
    return pixels


def padding_value(display: Display, detector: Detector) -> int:
    """The value outside the breast: the blackest that the display knows."""
    return detector.largest if _kind(display)[1] else 0


def display_elements(display: Display, detector: Detector) -> Dataset:
    """The elements that turn stored values into brightness."""
    kind, inverted = _kind(display)
    elements = Dataset()
    elements.PhotometricInterpretation = "MONOCHROME1" if inverted else "MONOCHROME2"
    elements.PresentationLUTShape = "INVERSE" if inverted else "IDENTITY"
    if detector.padding:
        elements.PixelPaddingValue = padding_value(display, detector)
    if kind == "lut":
        elements.VOILUTSequence = [_lookup_table(detector)]
    else:
        _add_windows(elements, kind, detector)
    return elements


def _kind(display: Display) -> tuple[str, bool]:
    kind = display.removesuffix("-inverted")
    return kind, kind != display


def _sigmoid_window(detector: Detector) -> tuple[float, float]:
    """Centre and width for which the margins fall on `low` and `high`."""
    reach = 2 * np.log((1 - _SIGMOID_MARGIN) / _SIGMOID_MARGIN) / 4
    return (detector.low + detector.high) / 2, float((detector.high - detector.low) // reach)


def _add_windows(elements: Dataset, kind: str, detector: Detector) -> None:
    """Two windows, as vendors offer; the first is the one intended."""
    centre, width = (detector.low + detector.high) / 2, float(detector.high - detector.low)
    if kind == "sigmoid":
        centre, width = _sigmoid_window(detector)
        elements.VOILUTFunction = "SIGMOID"
    elif kind == "linear-exact":
        elements.VOILUTFunction = "LINEAR_EXACT"
    else:  # LINEAR is the default: it may be left out
        centre, width = centre + 0.5, width + 1
    elements.WindowCenter = [centre, centre * 1.05]
    elements.WindowWidth = [width, width * 0.8]
    elements.WindowCenterWidthExplanation = ["NORMAL", "HARDER"]


def _lookup_table(detector: Detector) -> Dataset:
    entries = detector.high - detector.low + 1
    share = np.linspace(0, 1, entries) ** (1 / _LUT_GAMMA)
    table = Dataset()
    table.LUTDescriptor = [entries, detector.low, 16]
    table.LUTExplanation = "NORMAL"
    table.add_new("LUTData", "OW", np.rint(share * 65535).astype("<u2").tobytes())
    return table
