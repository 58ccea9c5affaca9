"""Files that lie, lack or are no image end as a sentence, before they cost anything."""

from __future__ import annotations

import io
import time
import tracemalloc
import zlib
from collections.abc import Callable

import imagecodecs
import numpy as np
import pytest
from pydicom import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import JPEG2000Lossless, JPEGLSLossless

from sequela.errors import DataError, ResourceLimitError, SequelaError
from sequela.modalities.codestream import Codestream, read_codestream
from sequela.modalities.mammogram import PixelPolicy, prepare_image
from sequela.modalities.picture_file import open_picture

Encode = Callable[..., bytes]
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def elements(**values: object) -> Dataset:
    dataset = Dataset()
    for name, value in values.items():
        setattr(dataset, name, value)
    return dataset


def test_ten_thousand_squared_declared_in_two_kilobytes_is_refused_at_once(
    phantom: np.ndarray, dicom: Encode
) -> None:
    huge = dicom(phantom, elements=elements(Rows=10_000, Columns=10_000), data=bytes(1024))
    assert len(huge) < 2500
    tracemalloc.start()
    with pytest.raises(ResourceLimitError, match="10000 × 10000 × 1 pixels"):
        open_picture(huge)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20


def test_a_stream_larger_than_its_header_says_is_refused_undecoded(
    phantom: np.ndarray, dicom: Encode
) -> None:
    stream = bytearray(imagecodecs.jpegls_encode(phantom))
    place = stream.index(b"\xff\xf7")
    stream[place + 5 : place + 9] = b"\xff\xff\xff\xff"
    data = encapsulate([bytes(stream)])
    with pytest.raises(DataError, match="65535 × 65535 × 1, its header declares 350 × 270"):
        open_picture(dicom(phantom, data=data, uid=JPEGLSLossless))


def test_a_deflate_bomb_is_refused(phantom: np.ndarray, dicom: Encode) -> None:
    honest = dicom(phantom, "deflated")
    end = 144 + int.from_bytes(honest[140:144], "little")
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = honest[:end] + packer.compress(bytes(300 << 20)) + packer.flush()
    assert len(bomb) < 400_000
    began = time.monotonic()
    with pytest.raises(ResourceLimitError, match="inflates beyond 256 MiB"):
        open_picture(bomb)
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"NumberOfFrames": 40}, "several frames"),
        ({"SamplesPerPixel": 3}, "several frames or colours"),
        ({"PhotometricInterpretation": "RGB"}, "photometric"),
        ({"BitsAllocated": 32, "BitsStored": 32}, "32 of 32 bits"),
        ({"BitsStored": 40}, "40 of 16 bits"),
        ({"Rows": 0}, "Rows is missing"),
        ({"Rows": 351}, "truncated: it holds 100% of|truncated"),
    ],
)
def test_a_header_that_declares_no_grey_image_is_refused(
    phantom: np.ndarray, dicom: Encode, change: dict[str, object], sentence: str
) -> None:
    with pytest.raises(DataError, match=sentence):
        open_picture(dicom(phantom, elements=elements(**change)))


@pytest.mark.parametrize(
    "syntax", ["explicit", "deflated", "rle", "jpeg-ls", "jpeg-2000", "jpeg-lossless-sv1"]
)
@pytest.mark.parametrize("share", [0.05, 0.5, 0.9])
def test_a_truncated_file_is_an_error_of_ours_or_an_image(
    phantom: np.ndarray, dicom: Encode, syntax: str, share: float
) -> None:
    whole = dicom(phantom, syntax)
    try:
        pixels, _ = prepare_image(whole[: int(len(whole) * share)], PixelPolicy(size=32))
    except SequelaError as error:
        assert error.message
    else:
        assert syntax in ("jpeg-2000", "jpeg-lossless-sv1")
        assert pixels.shape == (32, 32)


def test_random_damage_never_raises_anything_but_our_errors(
    phantom: np.ndarray, dicom: Encode
) -> None:
    rng = np.random.default_rng(5)
    refused = 0
    for syntax in ("explicit", "deflated", "rle"):
        whole = dicom(phantom, syntax)
        for _ in range(40):
            data = bytearray(whole)
            for place in rng.integers(128, 700, 12):
                data[place] = int(rng.integers(256))
            try:
                open_picture(bytes(data))
            except SequelaError:
                refused += 1
    assert refused > 30


def test_what_is_no_image_is_told_apart(phantom: np.ndarray) -> None:
    for data, sentence in [
        (b"", "is empty"),
        (b"patient, note\n", "not a DICOM file"),
        (bytes(5000), "not a DICOM file"),
        (npy(np.zeros((3, 4, 5))), "3 axes"),
        (npy(np.array([["a"]])), "2 axes are expected"),
        (npy(np.full((20, 20), np.nan)), "NaN"),
        (npy(np.full((20, 20), -1.0)), "outside 0 to 65,535"),
        (npy(phantom)[:900], "broken NPY"),
        (npy(np.full((20, 20), 7, np.uint16)), "all its pixels have one value"),
        (imagecodecs.png_encode(np.zeros((9, 9, 3), np.uint8)), "PNG in colour"),
        (imagecodecs.png_encode(phantom)[:3000], "broken PNG"),
    ]:
        with pytest.raises(DataError, match=sentence):
            open_picture(data)


def test_png_and_npy_give_the_same_pixels(phantom: np.ndarray) -> None:
    policy = PixelPolicy(size=64)
    png, quality = prepare_image(imagecodecs.png_encode(phantom), policy)
    assert quality.greyscale == "white at 4,095"
    stretched = (phantom.astype(np.float64) / 4095).astype(np.float32)
    np.testing.assert_array_equal(prepare_image(npy(phantom), policy)[0], png)
    assert np.abs(prepare_image(npy(stretched), policy)[0].astype(int) - png).max() <= 1
    wide = prepare_image(imagecodecs.png_encode(phantom * 16), policy)
    assert wide[1].greyscale == "white at 65,535"
    assert np.abs(wide[0].astype(int) - png).max() <= 1


def test_a_white_that_pixels_exceed_is_refused(phantom: np.ndarray) -> None:
    with pytest.raises(DataError, match="above 4,095"):
        open_picture(imagecodecs.png_encode(phantom * 8), white=4095)


def test_a_codestream_says_its_size(phantom: np.ndarray, dicom: Encode) -> None:
    streams = [
        (bytes(imagecodecs.jpegls_encode(phantom)), 16),
        (bytes(imagecodecs.jpeg2k_encode(phantom, level=0, codecformat="J2K")), 16),
        (bytes(imagecodecs.jpeg2k_encode(phantom, level=0, codecformat="JP2")), 16),
        (bytes(imagecodecs.ljpeg_encode(phantom, bitspersample=12)), 12),
        (bytes(imagecodecs.jpeg_encode((phantom >> 4).astype(np.uint8))), 8),
    ]
    for stream, precision in streams:
        assert read_codestream(stream) == Codestream(350, 270, 1, precision)
        with pytest.raises(DataError):
            read_codestream(stream[:12])
    jpeg_named_jpeg_2000 = dicom(phantom, data=encapsulate([b"GIF89a"]), uid=JPEG2000Lossless)
    with pytest.raises(DataError, match="not in the encoding"):
        open_picture(jpeg_named_jpeg_2000)
