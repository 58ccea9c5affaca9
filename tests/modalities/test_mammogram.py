"""The pixel policy equals pydicom's own chain in float64, in every encoding and display."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut
from pydicom.uid import ExplicitVRBigEndian

from sequela.modalities.mammogram import VIEW_KINDS, PixelPolicy, prepare_image
from sequela.simulation.settings import DISPLAYS, TRANSFER_SYNTAXES
from sequela.simulation.stored import Detector, display_elements

Encode = Callable[..., bytes]
SMALL = PixelPolicy(size=64)
KNOWN_TO_PYDICOM = ("explicit", "implicit", "deflated", "rle", "jpeg-2000")


def overlap(large: int, small: int) -> np.ndarray:
    edge, pixel = np.arange(small)[:, None] * large / small, np.arange(large)[None]
    shared = np.minimum(edge + large / small, pixel + 1) - np.maximum(edge, pixel)
    return shared.clip(0) * small / large


def reference(
    dataset: Dataset, stored: np.ndarray, white: float, box: tuple[slice, slice], size: int
) -> np.ndarray:
    """pydicom's chain on every pixel, float64 throughout, then area means and the square."""
    shown = apply_voi_lut(apply_modality_lut(stored, dataset), dataset).astype(np.float64) / white
    if dataset.PhotometricInterpretation == "MONOCHROME1":
        shown = 1 - shown
    if "PixelPaddingValue" in dataset:
        shown[stored == dataset.PixelPaddingValue] = 0
    part = shown[box].clip(0, 1)
    scale = size / max(part.shape)
    height, width = round(part.shape[0] * scale), round(part.shape[1] * scale)
    small = overlap(part.shape[0], height) @ part @ overlap(part.shape[1], width).T
    square = np.zeros((size, size))
    top = (size - height) // 2
    square[top : top + height, :width] = small
    return np.rint(square * 255)


@pytest.mark.parametrize("syntax", TRANSFER_SYNTAXES)
@pytest.mark.parametrize("display", DISPLAYS)
def test_pixels_equal_the_reference_chain(
    phantom: np.ndarray, dicom: Encode, syntax: str, display: str
) -> None:
    detector = Detector(12, 0, 4095, padding=True)
    inverted = display.endswith("-inverted")
    stored = 4095 - phantom if inverted else phantom
    data = dicom(stored, syntax, elements=display_elements(display, detector))
    dataset = dcmread(io.BytesIO(data))
    values = dataset.pixel_array if syntax in KNOWN_TO_PYDICOM else stored
    np.testing.assert_array_equal(values, stored)
    pixels, quality = prepare_image(data, SMALL)
    white = 65535 if "lut" in display else 4095
    expected = reference(dataset, values, white, quality.crop.slices, SMALL.size)
    assert np.abs(pixels - expected).max() <= 1
    assert pixels.max() > 60
    assert (
        quality.greyscale
        == {
            "linear": "window LINEAR (first of 2)",
            "linear-exact": "window LINEAR_EXACT (first of 2)",
            "sigmoid": "window SIGMOID (first of 2)",
            "lut": "VOI LUT",
        }[display.removesuffix("-inverted")]
    )
    assert quality.warnings == ()


def elements(**values: object) -> Dataset:
    dataset = Dataset()
    for name, value in values.items():
        setattr(dataset, name, value)
    return dataset


def test_a_rescale_comes_before_the_window(phantom: np.ndarray, dicom: Encode) -> None:
    plain = elements(WindowCenter=1500, WindowWidth=2000)
    rescaled = elements(
        RescaleSlope=2, RescaleIntercept=-1000, WindowCenter=1999.5, WindowWidth=3999
    )
    expected, _ = prepare_image(dicom(phantom, elements=plain), SMALL)
    actual, _ = prepare_image(dicom(phantom, elements=rescaled), SMALL)
    assert np.abs(actual.astype(int) - expected).max() <= 1


def test_signed_values_and_bits_above_those_stored_mean_what_they_say(
    phantom: np.ndarray, dicom: Encode
) -> None:
    window = {"WindowCenter": 1500, "WindowWidth": 2000}
    expected, _ = prepare_image(dicom(phantom, elements=elements(**window)), SMALL)
    overlay = phantom | np.uint16(0xA000)
    np.testing.assert_array_equal(
        prepare_image(dicom(overlay, elements=elements(**window)), SMALL)[0], expected
    )
    signed = (phantom.astype(np.int16) - 2048).view(np.uint16) & np.uint16(0x0FFF)
    shifted = elements(PixelRepresentation=1, WindowCenter=1500 - 2048, WindowWidth=2000)
    for syntax in ("explicit", "jpeg-2000"):
        data = dicom(signed, syntax, elements=shifted)
        np.testing.assert_array_equal(prepare_image(data, SMALL)[0], expected)


def test_big_endian_and_eight_bits_are_read(phantom: np.ndarray, dicom: Encode) -> None:
    window = elements(WindowCenter=1500, WindowWidth=2000)
    expected, _ = prepare_image(dicom(phantom, elements=window), SMALL)
    swapped = phantom.astype(">u2").tobytes()
    eight = (phantom >> 4).astype(np.uint8)
    narrow = elements(WindowCenter=1500 / 16, WindowWidth=2000 / 16)
    actual, _ = prepare_image(dicom(eight, bits=8, elements=narrow), SMALL)
    assert np.abs(actual.astype(int) - expected).max() <= 3
    big = dicom(phantom, elements=window, data=swapped, uid=ExplicitVRBigEndian)
    np.testing.assert_array_equal(prepare_image(big, SMALL)[0], expected)


def test_without_a_window_the_range_of_the_pixels_is_used(
    phantom: np.ndarray, dicom: Encode
) -> None:
    half = phantom // 2 + 100
    pixels, quality = prepare_image(dicom(half), SMALL)
    assert quality.greyscale == "pixel range"
    assert pixels.min() == 0
    whole = prepare_image(dicom(half), PixelPolicy(size=350, crop=False))[0]
    assert whole.max() == 255


def test_a_window_of_no_width_is_not_used(phantom: np.ndarray, dicom: Encode) -> None:
    broken = elements(WindowCenter=1500, WindowWidth=0)
    pixels, quality = prepare_image(dicom(phantom, elements=broken), SMALL)
    assert quality.greyscale == "pixel range"
    assert any("window that cannot be used" in warning for warning in quality.warnings)
    np.testing.assert_array_equal(pixels, prepare_image(dicom(phantom), SMALL)[0])


def test_a_voi_lut_of_fewer_bits_than_declared_still_reaches_white(
    phantom: np.ndarray, dicom: Encode
) -> None:
    def table(top: int) -> Dataset:
        item = Dataset()
        item.LUTDescriptor = [4096, 0, 16]
        item.LUTData = np.rint(np.linspace(0, top, 4096)).astype("<u2").tobytes()
        item["LUTData"].VR = "OW"
        return elements(VOILUTSequence=[item])

    full, _ = prepare_image(dicom(phantom, elements=table(65535)), SMALL)
    dim, quality = prepare_image(dicom(phantom, elements=table(4095)), SMALL)
    assert np.abs(full.astype(int) - dim).max() <= 1
    assert quality.warnings == ("has a VOI LUT of 12 bits declared as 16",)


def test_padding_is_black_and_does_not_count_in_the_range(
    phantom: np.ndarray, dicom: Encode
) -> None:
    padded = np.where(phantom == 0, 4095, phantom // 2).astype(np.uint16)
    pixels, quality = prepare_image(dicom(padded, elements=elements(PixelPaddingValue=4095)), SMALL)
    assert quality.chest_wall == "left"
    assert pixels[0, -1] == 0
    assert pixels.max() > 100


def test_the_chest_wall_stays_at_its_edge(phantom: np.ndarray, dicom: Encode) -> None:
    left, _ = prepare_image(dicom(phantom), SMALL)
    right, quality = prepare_image(dicom(np.ascontiguousarray(phantom[:, ::-1])), SMALL)
    assert quality.chest_wall == "right"
    assert np.abs(right[:, ::-1].astype(int) - left).max() <= 1
    assert left[:, 0].max() > 50
    assert left[:, -1].max() == 0
    turned = SMALL.evolve(orientation="chest-wall-left")
    facing, _ = prepare_image(dicom(np.ascontiguousarray(phantom[:, ::-1])), turned)
    np.testing.assert_array_equal(facing, right[:, ::-1])


def test_the_paper_profile_is_a_plain_square_resize(phantom: np.ndarray, dicom: Encode) -> None:
    data = dicom(phantom, elements=elements(WindowCenter=2048, WindowWidth=4096))
    pixels, quality = prepare_image(data, PixelPolicy(profile="paper", size=48))
    expected = overlap(350, 48) @ (phantom / 4095.0) @ overlap(270, 48).T
    assert np.abs(pixels - np.rint(expected * 255)).max() <= 1
    assert quality.crop.shape == phantom.shape


@pytest.mark.parametrize(("resolution", "bound"), [("half", 20), ("quarter", 32)])
def test_a_lower_resolution_of_jpeg_2000_is_near_and_named(
    phantom: np.ndarray, dicom: Encode, resolution: str, bound: int
) -> None:
    large = np.kron(phantom, np.ones((2, 2), np.uint16))[:-1, :-1]
    window = elements(WindowCenter=2048, WindowWidth=4096)
    data = dicom(large, "jpeg-2000", elements=window)
    policy = SMALL.evolve(jpeg2000=resolution, crop=False)
    exact, full = prepare_image(data, SMALL.evolve(crop=False))
    near, quality = prepare_image(data, policy)
    assert 0 < np.abs(near.astype(int) - exact).max() <= bound
    assert np.abs(near.astype(int) - exact).mean() < 1
    assert quality.crop == full.crop
    assert quality.encoding.startswith(f"{full.encoding} at 1/")
    plain = dicom(large, "jpeg-ls", elements=window)
    np.testing.assert_array_equal(prepare_image(plain, policy)[0], exact)
    box, cropped = (
        prepare_image(data, SMALL.evolve(jpeg2000=name))[1].crop for name in ("full", resolution)
    )
    assert np.abs(np.subtract(box.shape, cropped.shape)).max() <= 16


def test_policies_have_one_fingerprint_if_and_only_if_they_are_equal() -> None:
    assert PixelPolicy().fingerprint == PixelPolicy(size=512).fingerprint
    others = [
        PixelPolicy(size=256),
        PixelPolicy(profile="paper"),
        PixelPolicy(crop=False),
        PixelPolicy(margin=0.1),
        PixelPolicy(padding="even"),
        PixelPolicy(orientation="chest-wall-left"),
        PixelPolicy(picture_white=4095),
        PixelPolicy(jpeg2000="half"),
    ]
    assert len({policy.fingerprint for policy in [PixelPolicy(), *others]}) == len(others) + 1


def test_view_kinds_are_the_four_standard_views() -> None:
    assert VIEW_KINDS == (("L", "CC"), ("L", "MLO"), ("R", "CC"), ("R", "MLO"))
