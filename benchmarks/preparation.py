"""DICOM → store, images per second of one core, against the obvious way on the same files.

The obvious way, a file a picture: pydicom's `pixel_array`, `apply_modality_lut` and
`apply_voi_lut`, scikit-image's `resize` of the floating-point image to 512², a PNG. The quick
way: the same, but the image is made 8 bits and left to Pillow's `resize`. Ours is all that
`prepare_images` does for an image: the child that decodes it and the process that writes it to
the store. JPEG-LS and JPEG lossless need plugins that Sequela does without:

    uv run --with pyjpegls --with python-gdcm --with scikit-image python benchmarks/preparation.py

The ways work in turn, one thread a process. What counts is the processor's time, for the
machine may be shared; figures are medians over the rounds, start of the workers left out. JPEG
2000 at half and quarter resolution are other pixel policies (`jpeg2000`), which give other
pixels: how far from the exact policy's is printed in grey levels. The decoder alone is printed
beside: no policy can be faster than that. Below stand what a second worker brings (by the
clock), how much of a worker's time the one process that writes takes, and how fast prepared
images are read: one memory-mapped array against a PNG an image.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
os.environ["PYTHONPATH"] = str(Path(__file__).parent)  # for the children to find `clocked`

import numpy as np
from PIL import Image
from pydicom import Dataset, dcmread
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.pixels import apply_modality_lut, apply_voi_lut
from pydicom.uid import DigitalMammographyXRayImageStorageForPresentation
from scipy import ndimage

from sequela.importers.dicom_file import read_dicom
from sequela.modalities.dicom_pixels import stored_values
from sequela.modalities.ledger import Ledger, layout_of
from sequela.modalities.mammogram import PixelPolicy, Quality, prepare_image
from sequela.modalities.preparation import _quality_row
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


def shown(path: Path) -> np.ndarray:
    dataset = dcmread(path)
    values = apply_voi_lut(apply_modality_lut(dataset.pixel_array, dataset), dataset)
    brightness: np.ndarray = values / (2**BITS - 1)
    return brightness


def obvious(path: Path, size: int) -> np.ndarray:
    from skimage.transform import resize  # neither Sequela nor the other benchmarks need it

    small = resize(shown(path), (size, size), anti_aliasing=True)
    return np.asarray((small * 255).astype(np.uint8))


def quick(path: Path, size: int) -> np.ndarray:
    grey = (shown(path) * 255).astype(np.uint8)
    return np.asarray(Image.fromarray(grey).resize((size, size)))


def their_seconds(
    way: Callable[[Path, int], np.ndarray], files: list[Path], size: int
) -> float | None:
    """Processor time an image; None where no plugin for this encoding is installed."""
    began = time.process_time()
    for path in files:
        try:
            Image.fromarray(way(path, size)).save(path.with_suffix(".png"))
        except RuntimeError:
            return None
    return (time.process_time() - began) / len(files)


def clocked(path: Path, policy: PixelPolicy) -> tuple[tuple[np.ndarray, Quality], float]:
    """The prepared image, and the processor time that its worker has had so far."""
    return prepare_image(path, policy), time.process_time()


@dataclass(frozen=True)
class Cost:
    """Seconds an image: of a worker, of the process that writes, and between two results."""

    worker: float
    writer: float
    clock: float


def our_cost(files: list[Path], policy: PixelPolicy, workers: int) -> Cost:
    """From the moment on when every worker has answered."""
    clocks: list[tuple[float, float]] = []  # of this process, and of the wall
    worked: list[float] = []
    ids = [str(number) for number in range(len(files))]
    with tempfile.TemporaryDirectory() as folder:
        layout = layout_of(ids, policy.fingerprint)
        with Ledger(Path(folder) / "images.npy", ids, policy.size, layout) as ledger:
            tasks = [(path, policy) for path in files]
            for done in each(clocked, tasks, workers=workers):
                assert not isinstance(done.value, Failure), done.value
                (pixels, quality), spent = done.value
                ledger.put(ids[done.index], _quality_row(quality, ""), pixels)
                worked.append(spent)
                clocks.append((time.process_time(), time.perf_counter()))
    warm = 2 * workers
    count = len(files) - warm
    writer, clock = (
        (end - begin) / count for begin, end in zip(clocks[warm - 1], clocks[-1], strict=True)
    )
    return Cost((worked[-1] - worked[warm - 1]) / count, writer, clock)


def decoder_seconds(path: Path, halvings: int) -> float:
    """Processor time from the file in memory to its stored values."""
    dataset = read_dicom(path, pixels=True)
    began = time.process_time()
    stored_values(dataset, halvings=halvings)
    return time.process_time() - began


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
    """How much sooner two workers are done than one, and how many one writer could feed."""
    encoding = next(iter(files))
    ratios, shares = [], []
    for _ in range(rounds):
        one, two = (our_cost(files[encoding] * 20, policy, count) for count in (1, 2))
        ratios.append(one.clock / two.clock)
        shares.append(one.writer / one.worker)
    print(
        f"two workers over one ({encoding}): {statistics.median(ratios):.2f} by the clock, beside "
        f"{os.getloadavg()[0]:.0f} other processes; writing takes {statistics.median(shares):.1%} "
        "of a worker's time"
    )


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
        against(files, policy, options.rounds)
        if "jpeg-2000" in files:
            differences(files, policy)
        second_worker(files, policy, options.rounds)
        reading(policy.size, options.rounds)


def against(files: dict[str, list[Path]], policy: PixelPolicy, rounds: int) -> None:
    """Both ways on every encoding in turn, and the table of their medians."""
    ways = {encoding: (encoding, policy, 0) for encoding in files}
    for halvings, resolution in ((1, "half"), (2, "quarter")):
        if "jpeg-2000" in files:
            other = policy.evolve(jpeg2000=resolution)
            ways[f"jpeg-2000 at {resolution}"] = ("jpeg-2000", other, halvings)
    times: dict[tuple[str, str], list[float]] = defaultdict(list)
    obvious(next(iter(files.values()))[0], policy.size)  # imports
    for _ in range(rounds):
        for encoding, paths in files.items():
            for name, theirs in (("obvious", obvious), ("quick", quick)):
                if (seconds := their_seconds(theirs, paths, policy.size)) is not None:
                    times[name, encoding].append(seconds)
            for way, (source, chosen, halvings) in ways.items():
                if source == encoding:
                    cost = our_cost(paths * 5, chosen, 1)
                    times["ours", way].append(cost.worker + cost.writer)
                    times["decoder", way].append(decoder_seconds(paths[0], halvings))
    print(f"{HEIGHT} × {WIDTH} × {BITS} bit → {policy.size}², processor time of an image in ms")
    print(
        f"{'encoding':<22}{'obvious':>8}{'quick':>8}{'Sequela':>9}{'over both':>12}   decoder alone"
    )
    for way, (encoding, _, _) in ways.items():
        keys = (("obvious", encoding), ("quick", encoding), ("ours", way), ("decoder", way))
        slow, fast, ours, alone = (1000 * median(times[key]) for key in keys)
        ratios = f"{slow / ours:.1f}, {fast / ours:.1f}"
        print(f"{way:<22}{slow:>8.0f}{fast:>8.0f}{ours:>9.1f}{ratios:>12}{alone:>10.1f}")


def median(times: list[float]) -> float:
    """NaN where no plugin was installed."""
    return statistics.median(times) if times else float("nan")


if __name__ == "__main__":
    from preparation import main as run  # under a name by which children know its functions

    run()
