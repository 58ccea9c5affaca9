"""DICOM → store, images per second, against the obvious way on the same files.

The obvious way: pydicom's `pixel_array`, `apply_modality_lut`, `apply_voi_lut`, scaling and
`scipy.ndimage.zoom` to 512² in float64, in one process. JPEG-LS and JPEG lossless need plugins
that Sequela does without:

    uv run --with pyjpegls --with python-gdcm python benchmarks/preparation.py

Both ways run in turn, one thread a process; figures are medians over the rounds. The rate of
Sequela is that of its running workers: their start is printed apart, and weighs less the more
images there are. JPEG 2000 at half and quarter resolution are other pixel policies
(`jpeg2000`), which give other pixels.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

import numpy as np
from pydicom import Dataset, dcmread
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.pixels import apply_modality_lut, apply_voi_lut
from pydicom.uid import DigitalMammographyXRayImageStorageForPresentation
from scipy import ndimage

from sequela.modalities.mammogram import PixelPolicy, prepare_image
from sequela.simulation.encoding import UIDS, encode_pixels
from sequela.workers import Failure, each

ENCODINGS = ("explicit", "deflated", "rle", "jpeg-ls", "jpeg-lossless-sv1", "jpeg-2000")
HEIGHT, WIDTH, BITS = 3328, 2560, 12


def phantom(seed: int) -> np.ndarray:
    """Half air, half breast with smooth texture and detector noise."""
    rng = np.random.default_rng(seed)
    texture = ndimage.zoom(rng.normal(size=(HEIGHT // 32 + 1, WIDTH // 32 + 1)), 32, order=1)
    y, x = np.ogrid[:HEIGHT, :WIDTH]
    breast = (x / (0.75 * WIDTH)) ** 2 + ((y - HEIGHT / 2) / (0.46 * HEIGHT)) ** 2 < 1
    tissue = 1800 + 400 * texture[:HEIGHT, :WIDTH] + rng.normal(0, 12, (HEIGHT, WIDTH))
    image: np.ndarray = np.where(breast, tissue, 0).clip(0, 4095).astype(np.uint16)
    return image


def write(path: Path, pixels: np.ndarray, encoding: str) -> None:
    dataset = Dataset()
    dataset.SOPClassUID = DigitalMammographyXRayImageStorageForPresentation
    dataset.SOPInstanceUID = "1.2.3"
    dataset.Modality, dataset.PhotometricInterpretation = "MG", "MONOCHROME2"
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.SamplesPerPixel, dataset.PixelRepresentation = 1, 0
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, BITS, BITS - 1
    dataset.RescaleSlope, dataset.RescaleIntercept = 1, 0
    dataset.WindowCenter, dataset.WindowWidth = 2000, 3600
    dataset.add_new("PixelData", "OW", encode_pixels(pixels, encoding, BITS))
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.TransferSyntaxUID = UIDS[encoding]
    if meta.TransferSyntaxUID.is_encapsulated:
        dataset["PixelData"].VR = "OB"
        dataset["PixelData"].is_undefined_length = True
    file = FileDataset(str(path), dataset, preamble=b"\0" * 128, file_meta=meta)
    file.save_as(path, enforce_file_format=True)


def obvious(path: Path, size: int) -> np.ndarray:
    dataset = dcmread(path)
    shown = apply_voi_lut(apply_modality_lut(dataset.pixel_array, dataset), dataset)
    shown = shown.astype(np.float64) / (2**BITS - 1)
    small = ndimage.zoom(shown, (size / shown.shape[0], size / shown.shape[1]), order=1)
    result: np.ndarray = np.rint(small * 255).astype(np.uint8)
    return result


def obvious_rate(files: list[Path], size: int) -> float | None:
    began = time.perf_counter()
    for path in files:
        try:
            obvious(path, size)
        except RuntimeError:  # pydicom: no plugin for this encoding is installed
            return None
    return len(files) / (time.perf_counter() - began)


def our_rate(files: list[Path], policy: PixelPolicy, workers: int) -> tuple[float, float]:
    """Images a second once every worker has answered, and seconds until then."""
    began = time.perf_counter()
    ends = []
    for done in each(prepare_image, [(path, policy) for path in files], workers=workers):
        assert not isinstance(done.value, Failure), done.value
        ends.append(time.perf_counter())
    warm = 2 * workers
    return (len(ends) - warm) / (ends[-1] - ends[warm - 1]), ends[0] - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--files", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--encodings", nargs="*", default=ENCODINGS)
    options = parser.parse_args()
    policy = PixelPolicy()
    with tempfile.TemporaryDirectory() as folder:
        files: dict[str, list[Path]] = {}
        for number in range(options.files):
            pixels = phantom(number)
            for encoding in options.encodings:
                path = Path(folder) / f"{encoding}-{number}.dcm"
                write(path, pixels, encoding)
                files.setdefault(encoding, []).append(path)
        ways = {encoding: (encoding, policy) for encoding in files}
        for resolution in ("half", "quarter") if "jpeg-2000" in files else ():
            other = policy.evolve(jpeg2000=resolution)
            ways[f"jpeg-2000 at {resolution}"] = ("jpeg-2000", other)
        ours: dict[str, list[float]] = {way: [] for way in ways}
        theirs: dict[str, list[float | None]] = {encoding: [] for encoding in files}
        starts = []
        for _ in range(options.rounds):
            for encoding, paths in files.items():
                theirs[encoding].append(obvious_rate(paths, policy.size))
                for way, (source, chosen) in ways.items():
                    if source == encoding:
                        rate, start = our_rate(paths * 6, chosen, options.workers)
                        ours[way].append(rate)
                        starts.append(start)
    print(f"{HEIGHT} × {WIDTH} × {BITS} bit → {policy.size}², {options.workers} workers")
    print(f"{'encoding':<20}{'obvious /s':>12}{'Sequela /s':>12}{'ratio':>8}")
    for way, (encoding, _) in ways.items():
        rate = statistics.median(ours[way])
        known = [value for value in theirs[encoding] if value is not None]
        if known:
            base = statistics.median(known)
            print(f"{way:<20}{base:>12.2f}{rate:>12.2f}{rate / base:>8.1f}")
        else:
            print(f"{way:<20}{'no plugin':>12}{rate:>12.2f}{'':>8}")
    print(f"start of the workers, once a run: {statistics.median(starts):.1f} s")


if __name__ == "__main__":
    main()
