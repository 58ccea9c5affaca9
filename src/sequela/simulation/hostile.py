"""Files that an importer must refuse, set aside or flag: one function writes one of them.

Each starts from an ordinary simulated mammogram and has exactly the one trouble it is named for.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import (
    BreastTomosynthesisImageStorage,
    CTImageStorage,
    DigitalMammographyXRayImageStorageForProcessing,
)

from sequela.simulation.dicom import (
    VENDORS,
    Acquisition,
    coded,
    mammogram,
    vendor_of,
    write_mammogram,
)
from sequela.simulation.mammograms import intended_display
from sequela.simulation.patients import SimulatedPatient, draw_patient
from sequela.simulation.settings import MammogramSettings, SimulationSettings, TransferSyntax
from sequela.simulation.stored import stored_pixels

_SETTINGS = SimulationSettings(mammogram=MammogramSettings(height=96, width=80))
_DECLARED = 10_000  # rows and columns that the enormous files claim to have


def ordinary(path: Path, syntax: TransferSyntax = "explicit") -> None:
    """A right craniocaudal mammogram with nothing wrong: the control."""
    write_mammogram(_dataset(path, syntax), syntax, path)


def truncated(path: Path) -> None:
    """The file ends in the middle of its pixel data, as after a broken copy."""
    ordinary(path)
    path.write_bytes(path.read_bytes()[:-5000])


def truncated_header(path: Path) -> None:
    """The file ends before its pixel data begin."""
    ordinary(path)
    path.write_bytes(path.read_bytes()[:700])


def truncated_jpeg(path: Path) -> None:
    """The file ends in the middle of a JPEG 2000 frame."""
    ordinary(path, "jpeg-2000")
    path.write_bytes(path.read_bytes()[:-2000])


def empty(path: Path) -> None:
    """No bytes at all."""
    path.write_bytes(b"")


def not_dicom(path: Path) -> None:
    """A text file that is called .dcm."""
    path.write_text("This is not a DICOM file.\n" * 40, encoding="utf-8")


def without_preamble(path: Path) -> None:
    """A good mammogram without preamble and file meta information, as some exports leave it."""
    dataset = _dataset(path, "implicit")
    dataset.save_as(path, implicit_vr=True, little_endian=True)


def without_pixels(path: Path) -> None:
    """A header alone."""
    dataset = _dataset(path)
    del dataset.PixelData
    write_mammogram(dataset, "explicit", path)


def garbage_pixels(path: Path) -> None:
    """A frame that says it is JPEG 2000 and is noise."""
    dataset = _dataset(path, "jpeg-2000")
    noise = np.random.default_rng(0).bytes(4000)
    dataset.PixelData = encapsulate([noise])
    dataset["PixelData"].is_undefined_length = True
    write_mammogram(dataset, "jpeg-2000", path)


def enormous(path: Path) -> None:
    """Under 4 kB that declare 10,000 x 10,000 pixels."""
    dataset = _dataset(path)
    dataset.Rows = dataset.Columns = _DECLARED
    dataset.PixelData = bytes(200)
    write_mammogram(dataset, "explicit", path)


def enormous_jpeg(path: Path) -> None:
    """A small JPEG 2000 frame whose own header declares 10,000 x 10,000 pixels."""
    dataset = _dataset(path, "jpeg-2000")
    size = _DECLARED.to_bytes(4, "big") * 2
    frame = bytearray(next(generate_frames(dataset.PixelData, number_of_frames=1)))
    frame[8:16] = size  # SIZ: Xsiz, Ysiz (ITU-T T.800, A.5.1)
    frame[24:32] = size  # one tile of that size
    dataset.Rows = dataset.Columns = _DECLARED
    dataset.PixelData = encapsulate([bytes(frame)])
    dataset["PixelData"].is_undefined_length = True
    write_mammogram(dataset, "jpeg-2000", path)


def deflate_bomb(path: Path, megabytes: int = 200) -> None:
    """A small deflated file that grows to `megabytes` of zeros when it is read."""
    dataset = _dataset(path, "deflated")
    dataset.Rows, dataset.Columns = _DECLARED, _DECLARED
    dataset.PixelData = bytes(2)
    write_mammogram(dataset, "deflated", path)
    content = path.read_bytes()
    start = _meta_length(content)
    small = zlib.decompress(content[start:], wbits=-zlib.MAX_WBITS)
    header = small[: small.rindex(b"\xe0\x7f\x10\x00")]
    packer = zlib.compressobj(level=9, wbits=-zlib.MAX_WBITS)
    length = megabytes << 20
    parts = [packer.compress(header + b"\xe0\x7f\x10\x00OW\0\0" + length.to_bytes(4, "little"))]
    parts += [packer.compress(bytes(1 << 20)) for _ in range(megabytes)]
    path.write_bytes(content[:start] + b"".join(parts) + packer.flush())


def for_processing(path: Path) -> None:
    """Raw detector values: not meant to be looked at."""
    dataset = _dataset(path)
    dataset.SOPClassUID = DigitalMammographyXRayImageStorageForProcessing
    dataset.PresentationIntentType = "FOR PROCESSING"
    dataset.ImageType = ["ORIGINAL", "PRIMARY"]
    for name in ("WindowCenter", "WindowWidth", "WindowCenterWidthExplanation"):
        delattr(dataset, name)
    write_mammogram(dataset, "explicit", path)


def tomosynthesis(path: Path) -> None:
    """A stack of slices."""
    dataset = _dataset(path)
    dataset.SOPClassUID = BreastTomosynthesisImageStorage
    dataset.ImageType = ["DERIVED", "PRIMARY", "TOMOSYNTHESIS", "NONE"]
    dataset.NumberOfFrames = 3
    dataset.PixelData = dataset.PixelData * 3
    write_mammogram(dataset, "explicit", path)


def other_modality(path: Path) -> None:
    """A CT slice that got among the mammograms."""
    dataset = _dataset(path)
    dataset.SOPClassUID, dataset.Modality = CTImageStorage, "CT"
    for name in ("ViewCodeSequence", "ViewPosition", "ImageLaterality", "PresentationIntentType"):
        delattr(dataset, name)
    write_mammogram(dataset, "explicit", path)


def mediolateral_view(path: Path) -> None:
    """A true lateral view (ML), which is not MLO."""
    _write_view(path, ("R-10224", "medio-lateral"), "ML")


def lateromedial_view(path: Path) -> None:
    """The other true lateral view (LM)."""
    _write_view(path, ("R-10228", "latero-medial"), "LM")


def spot_view(path: Path) -> None:
    """A spot compression."""
    _write_modified(path, ("R-102D7", "Spot Compression"))


def magnification_view(path: Path) -> None:
    """A magnification view."""
    _write_modified(path, ("R-102D6", "Magnification"))


def implant_displaced_view(path: Path) -> None:
    """A view with the implant pushed back."""
    _write_modified(path, ("R-102D5", "Implant Displaced"))


def implant(path: Path) -> None:
    """A breast with an implant: to be kept, and flagged."""
    dataset = _dataset(path)
    dataset.BreastImplantPresent = "YES"
    write_mammogram(dataset, "explicit", path)


def unknown_view(path: Path) -> None:
    """Neither the code sequence nor ViewPosition names a view."""
    dataset = _dataset(path)
    dataset.ViewCodeSequence, dataset.ViewPosition = [], ""
    write_mammogram(dataset, "explicit", path)


def unknown_side(path: Path) -> None:
    """No element says which breast it is."""
    dataset = _dataset(path)
    dataset.ImageLaterality, dataset.PatientOrientation = "", []
    write_mammogram(dataset, "explicit", path)


def both_sides(path: Path) -> None:
    """Both breasts in one image."""
    dataset = _dataset(path)
    dataset.ImageLaterality = "B"
    write_mammogram(dataset, "explicit", path)


TROUBLES: Mapping[str, Callable[[Path], None]] = {
    function.__name__.replace("_", "-"): function
    for function in (
        truncated,
        truncated_header,
        truncated_jpeg,
        empty,
        not_dicom,
        without_preamble,
        without_pixels,
        garbage_pixels,
        enormous,
        enormous_jpeg,
        deflate_bomb,
        for_processing,
        tomosynthesis,
        other_modality,
        mediolateral_view,
        lateromedial_view,
        spot_view,
        magnification_view,
        implant_displaced_view,
        implant,
        unknown_view,
        unknown_side,
        both_sides,
    )
}
"""Every trouble by name."""


def _patient(path: Path) -> SimulatedPatient:
    """A patient of her own for each file name, so that no file is a copy of another."""
    site = next(place for place, vendor in enumerate(VENDORS) if vendor.snomed == "SRT")
    number = zlib.crc32(path.stem.encode()) % 100_000
    patient = draw_patient(_SETTINGS, number)
    return replace(patient, site=site, side="R", sides=("L", "R"), days=(40,))


def _dataset(path: Path, syntax: TransferSyntax = "explicit") -> Dataset:
    patient = _patient(path)
    taken = Acquisition(0, "R", "CC", 1, syntax, "linear")
    brightness = intended_display(_SETTINGS, patient, taken)
    pixels = stored_pixels(brightness, taken.display, vendor_of(patient).detector)
    return mammogram(patient, taken, pixels)


def _write_view(path: Path, code: tuple[str, str], position: str) -> None:
    dataset = _dataset(path)
    view = coded(*code, "SRT")
    view.ViewModifierCodeSequence = []
    dataset.ViewCodeSequence, dataset.ViewPosition = [view], position
    write_mammogram(dataset, "explicit", path)


def _write_modified(path: Path, code: tuple[str, str]) -> None:
    dataset = _dataset(path)
    dataset.ViewCodeSequence[0].ViewModifierCodeSequence = [coded(*code, "SRT")]
    write_mammogram(dataset, "explicit", path)


def _meta_length(content: bytes) -> int:
    """Where the data set starts: after preamble, DICM and the group length's own element."""
    return 144 + int.from_bytes(content[140:144], "little")
