"""DICOM → store, images per second, against the obvious way on the same files.

The obvious way: pydicom's `pixel_array`, `apply_modality_lut`, `apply_voi_lut`, scaling and
`scipy.ndimage.zoom` to 512² in float64, in one process. JPEG-LS and JPEG lossless need plugins
that Sequela does without:

    uv run --with pyjpegls --with python-gdcm python benchmarks/preparation.py

Both ways run in turn, one thread a process; figures are medians over the rounds. The rate of
Sequela is that of its running workers: their start is printed apart, and weighs less the more
images there are. JPEG 2000 at half and quarter resolution are other pixel policies
(`jpeg2000`), which give other pixels: how far from the exact policy's is printed in grey levels.
Below stand what a second worker brings, and how fast prepared images are read: one memory-mapped
array against a PNG an image.
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
from PIL import Image
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


def differences(files: dict[str, list[Path]], policy: PixelPolicy) -> None:
    """How far pixels decoded at a lower resolution lie from the exact policy's, in the breast."""
    for resolution in ("half", "quarter"):
        other = policy.evolve(jpeg2000=resolution)
        off, lit = [], []
        for path in files["jpeg-2000"]:
            exact, reduced = (prepare_image(path, one)[0].astype(int) for one in (policy, other))
            off.append(np.abs(exact - reduced))
            lit.append((exact > 0) | (reduced > 0))
        inside = np.concatenate([one[seen] for one, seen in zip(off, lit, strict=True)])
        print(
            f"jpeg-2000 at {resolution}: policy {other.fingerprint[:8]} (exact "
            f"{policy.fingerprint[:8]}), {inside.mean():.2f} grey levels of 255 off on average, "
            f"99 % within {np.quantile(inside, 0.99):.0f}"
        )


def second_worker(files: dict[str, list[Path]], policy: PixelPolicy, rounds: int) -> None:
    """The rate of two workers over that of one, interleaved."""
    encoding = next(iter(files))
    ratios = []
    for _ in range(rounds):
        one, two = (our_rate(files[encoding] * 12, policy, count)[0] for count in (1, 2))
        ratios.append(two / one)
    print(f"two workers over one ({encoding}): {statistics.median(ratios):.2f}")


def reading(size: int, rounds: int, images: int = 2000) -> None:
    """Images a second out of one memory-mapped array, and out of a PNG each, copied once."""
    rng = np.random.default_rng(0)
    pixels = phantom(0)[::7, ::5][:size, :size].astype(np.uint8)
    pixels = np.pad(pixels, [(0, size - length) for length in pixels.shape])
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "images.npy"
        whole = np.lib.format.open_memmap(
            store, mode="w+", dtype=np.uint8, shape=(images, size, size)
        )
        whole[:] = pixels
        whole.flush()
        pictures = [Path(folder) / f"{number}.png" for number in range(20)]
        for picture in pictures:
            Image.fromarray(pixels).save(picture)
        rates: dict[str, list[float]] = {"memory map": [], "PNG": []}
        for _ in range(rounds):
            mapped = np.load(store, mmap_mode="r")
            began = time.perf_counter()
            for row in rng.permutation(images):
                np.array(mapped[row])
            rates["memory map"].append(images / (time.perf_counter() - began))
            began = time.perf_counter()
            for picture in pictures:
                np.array(Image.open(picture))
            rates["PNG"].append(len(pictures) / (time.perf_counter() - began))
    medians = {name: statistics.median(values) for name, values in rates.items()}
    print(
        f"reading {size}² images: {medians['memory map']:,.0f} /s from the memory-mapped array, "
        f"{medians['PNG']:,.0f} /s from PNG: {medians['memory map'] / medians['PNG']:.0f} times"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--files", type=int, default=3)
    parser.add_argument("--workers", type=int, default=1)
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
        starts: list[float] = []
        for _ in range(options.rounds):
            for encoding, paths in files.items():
                theirs[encoding].append(obvious_rate(paths, policy.size))
                for way, (source, chosen) in ways.items():
                    if source == encoding:
                        rate, start = our_rate(paths * 6, chosen, options.workers)
                        ours[way].append(rate)
                        starts.append(start)
        table(policy, options.workers, ways, ours, theirs)
        print(f"start of the workers, once a run: {statistics.median(starts):.1f} s")
        if "jpeg-2000" in files:
            differences(files, policy)
        second_worker(files, policy, options.rounds)
        reading(policy.size, options.rounds)


def table(
    policy: PixelPolicy,
    workers: int,
    ways: dict[str, tuple[str, PixelPolicy]],
    ours: dict[str, list[float]],
    theirs: dict[str, list[float | None]],
) -> None:
    print(
        f"{HEIGHT} × {WIDTH} × {BITS} bit → {policy.size}², {workers} worker(s) against one process"
    )
    print(f"{'encoding':<20}{'obvious /s':>12}{'Sequela /s':>12}{'ratio':>8}")
    for way, (encoding, _) in ways.items():
        rate = statistics.median(ours[way])
        known = [value for value in theirs[encoding] if value is not None]
        if known:
            base = statistics.median(known)
            print(f"{way:<20}{base:>12.2f}{rate:>12.2f}{rate / base:>8.1f}")
        else:
            print(f"{way:<20}{'no plugin':>12}{rate:>12.2f}{'':>8}")


if __name__ == "__main__":
    main()
