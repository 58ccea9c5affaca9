"""The one pixel policy: a mammogram's file → the image that every model sees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, UInt, UInt8
from pydantic import Field

from sequela.modalities.breast import Box, Breast, Edge, find_breast
from sequela.modalities.picture_file import Source, open_picture
from sequela.modalities.resampling import area_mean
from sequela.settings import Settings
from sequela.storage import fingerprint

VIEW_KINDS = (("L", "CC"), ("L", "MLO"), ("R", "CC"), ("R", "MLO"))
"""Side and view of each value of `Batch.view_kind`."""

_VERSION = "2"  # raise it when the same policy begins to give other pixels


class PixelPolicy(Settings):
    """How a mammogram becomes pixels; the same in training and in inference.

    Attributes:
        profile: display (crop, aspect kept, padded) or paper (the whole image resized to a
            square, as published).
        size: Height and width of the prepared image.
        crop: Whether to crop to the breast (display only).
        margin: Part of the longer axis kept around the breast.
        padding: Where black is added to make a square: away from the chest wall, so that the
            chest wall stays at its edge, or evenly. Above and below it is always added evenly.
        orientation: as-stored keeps left and right breasts as the radiologist sees them;
            chest-wall-left mirrors images so that all chest walls lie on the left.
        picture_white: Value of a 16-bit PNG or NPY that is white; auto takes 4,095 where no
            pixel is above it, else 65,535. DICOM files say so themselves.
        jpeg2000: Resolution at which JPEG 2000 is decoded. Half and quarter take a quarter and a
            tenth of the time and give other pixels: on four real mammograms off by 0.3 and 0.9
            of 255 grey levels on average, by 39 and 125 at the sharpest edge, and the crop may
            begin some pixels elsewhere.
    """

    profile: Literal["display", "paper"] = "display"
    size: int = Field(default=512, ge=8, le=4096)
    crop: bool = True
    margin: float = Field(default=0.01, ge=0.0, le=0.5)
    padding: Literal["away-from-chest-wall", "even"] = "away-from-chest-wall"
    orientation: Literal["as-stored", "chest-wall-left"] = "as-stored"
    picture_white: Literal["auto", 4095, 65535] = "auto"
    jpeg2000: Literal["full", "half", "quarter"] = "full"

    @property
    def fingerprint(self) -> str:
        """A hash that is equal only for policies that give the same pixels."""
        return fingerprint(_VERSION, self.model_dump_json())


@dataclass(frozen=True)
class Quality:
    """What is known of a prepared image beside its pixels.

    Attributes:
        vendor: Manufacturer, where the file names one.
        encoding: Transfer syntax, or PNG or NPY.
        photometric: MONOCHROME1 or MONOCHROME2.
        height: Rows of the file's image.
        width: Columns of the file's image.
        greyscale: What turned stored values into brightness: VOI LUT, window …, pixel range.
        crop: The part of the file's image that was kept.
        chest_wall: The edge of the file's image at which the chest wall lies.
        breast_share: Part of the file's image that is breast.
        warnings: Sentences for a person to look at.
    """

    vendor: str
    encoding: str
    photometric: str
    height: int
    width: int
    greyscale: str
    crop: Box
    chest_wall: Edge
    breast_share: float
    warnings: tuple[str, ...]


def prepare_image(
    source: Source, policy: PixelPolicy
) -> tuple[UInt8[np.ndarray, "height width"], Quality]:
    """The pixels that `policy` makes of a DICOM, PNG or NPY file, and their quality.

    Stored values become brightness (`greyscale`), the breast is cropped, the crop is averaged
    down to the size by area, padded to a square with black, and rounded to 8 bits.

    Raises:
        DataError: If the file cannot be read as one grey image.
        ResourceLimitError: If it declares more pixels than any mammogram has.
    """
    halvings = ("full", "half", "quarter").index(policy.jpeg2000)
    picture = open_picture(source, white=policy.picture_white, halvings=halvings)
    stored, table = picture.stored, picture.greyscale.table
    height, width = stored.shape
    whole = Box(0, 0, height, width)
    breast = find_breast(stored, table, policy.margin)
    warnings = list(picture.greyscale.warnings)
    box = whole
    if policy.profile == "display" and policy.crop:
        box = breast.box or whole
        if breast.box is None:
            warnings.append("no breast was found, so the image is whole")
    if breast.share > 0.98:
        warnings.append("has no background; the crop is the whole image")
    shrunk = _resized(stored[box.slices], table, policy, breast)
    pixels = (shrunk * 255.0 + 0.5).astype(np.uint8)
    quality = Quality(
        vendor=picture.vendor,
        encoding=picture.encoding,
        photometric=picture.photometric,
        height=picture.shape[0],
        width=picture.shape[1],
        greyscale=picture.greyscale.rule,
        crop=box.enlarged(picture.shape[0] / height, picture.shape),
        chest_wall=breast.chest_wall,
        breast_share=round(breast.share, 4),
        warnings=tuple(warnings),
    )
    return pixels, quality


def _resized(
    stored: UInt[np.ndarray, "height width"],
    table: Float[np.ndarray, " value"],
    policy: PixelPolicy,
    breast: Breast,
) -> Float[np.ndarray, "size size"]:
    size = policy.size
    if policy.profile == "paper":
        square = area_mean(stored, table, size, size)
    else:
        longer = max(stored.shape)
        height, width = (max(1, round(length * size / longer)) for length in stored.shape)
        square = np.zeros((size, size), np.float32)
        top = (size - height) // 2
        left = _left(size - width, policy, breast)
        square[top : top + height, left : left + width] = area_mean(stored, table, height, width)
    mirrored = policy.orientation == "chest-wall-left" and breast.chest_wall == "right"
    return square[:, ::-1] if mirrored else square


def _left(free: int, policy: PixelPolicy, breast: Breast) -> int:
    """How many of the free columns are put on the left."""
    if policy.padding == "even":
        return free // 2
    return 0 if breast.chest_wall == "left" else free
