import imagecodecs
import numpy as np
import pytest
from jaxtyping import UInt16
from pydicom.encaps import generate_frames

from sequela.simulation.encoding import encode_pixels
from sequela.simulation.settings import TRANSFER_SYNTAXES, TransferSyntax

DECODERS = {
    "jpeg-ls": imagecodecs.jpegls_decode,
    "jpeg-2000": imagecodecs.jpeg2k_decode,
    "jpeg-lossless-sv1": imagecodecs.jpegsof3_decode,
    "jpeg-lossless": imagecodecs.jpegsof3_decode,
}


def scene(bits: int, height: int, width: int) -> UInt16[np.ndarray, "height width"]:
    """Noise of every size, runs of zero, and both extremes side by side."""
    generator = np.random.default_rng(bits)
    spread = 2.0 ** np.linspace(0, bits, width)
    values = generator.uniform(0, 1, (height, width)) * spread
    values[: height // 4] = 0
    values[-2, ::2], values[-1, ::2] = 2**bits - 1, 0
    return values.clip(0, 2**bits - 1).astype(np.uint16)


@pytest.mark.parametrize("bits", [12, 14, 16])
@pytest.mark.parametrize("syntax", sorted(DECODERS))
def test_a_compressed_frame_holds_the_same_pixels(syntax: TransferSyntax, bits: int) -> None:
    pixels = scene(bits, 37, 53)
    data = encode_pixels(pixels, syntax, bits)
    frame = next(generate_frames(data, number_of_frames=1))
    np.testing.assert_array_equal(DECODERS[syntax](frame), pixels)


@pytest.mark.parametrize("syntax", sorted({"explicit", "implicit", "deflated"}))
def test_native_pixels_are_little_endian(syntax: TransferSyntax) -> None:
    pixels = scene(12, 4, 5)
    assert encode_pixels(pixels, syntax, 12) == pixels.astype("<u2").tobytes()


def test_selection_value_1_says_so_in_its_scan_header() -> None:
    frame = next(generate_frames(encode_pixels(scene(12, 9, 9), "jpeg-lossless-sv1", 12)))
    scan = frame.index(b"\xff\xda")
    assert frame[scan + 7] == 1
    assert b"\xff\xc3" in frame[:scan]


def test_every_transfer_syntax_is_tested_here_or_with_pydicom() -> None:
    assert set(TRANSFER_SYNTAXES) == {*DECODERS, "explicit", "implicit", "deflated", "rle"}
