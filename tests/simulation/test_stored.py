import numpy as np
import pytest
from jaxtyping import Float
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.pixels import apply_voi_lut
from pydicom.uid import ExplicitVRLittleEndian

from sequela.simulation.dicom import VENDORS
from sequela.simulation.settings import DISPLAYS, Display
from sequela.simulation.stored import Detector, display_elements, stored_pixels

DETECTORS = {vendor.name: vendor.detector for vendor in VENDORS}


def shown(
    pixels: np.ndarray, elements: Dataset, detector: Detector
) -> Float[np.ndarray, "height width"]:
    """Brightness by pydicom's account: VOI LUT or window, then inversion for MONOCHROME1."""
    elements.file_meta = FileMetaDataset()
    elements.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    elements.BitsStored, elements.PixelRepresentation = detector.bits, 0
    largest = 65535 if "VOILUTSequence" in elements else detector.largest
    values = apply_voi_lut(pixels, elements) / largest
    return 1 - values if elements.PhotometricInterpretation == "MONOCHROME1" else values


@pytest.mark.parametrize("detector", DETECTORS.values(), ids=DETECTORS)
@pytest.mark.parametrize("display", DISPLAYS)
def test_every_display_shows_the_same_brightness(display: Display, detector: Detector) -> None:
    brightness = np.linspace(0, 1, 1200, dtype=np.float32).reshape(30, 40)
    pixels = stored_pixels(brightness, display, detector)
    assert pixels.max() <= detector.largest
    difference = shown(pixels, display_elements(display, detector), detector) - brightness
    assert np.abs(difference).max() < (0.005 if "sigmoid" in display else 0.0015)


@pytest.mark.parametrize("display", DISPLAYS)
def test_padding_is_outside_the_breast_and_nowhere_else(display: Display) -> None:
    detector = Detector(bits=12, low=100, high=3900, padding=True)
    brightness = np.linspace(0, 1, 1200, dtype=np.float32).reshape(30, 40)
    elements = display_elements(display, detector)
    padded = stored_pixels(brightness, display, detector) == elements.PixelPaddingValue
    np.testing.assert_array_equal(padded, brightness == 0)
