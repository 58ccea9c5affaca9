"""The cage's throughput beside an unprotected pool, DICOM to pixels, interleaved in one run.

    python benchmarks/cage.py [--workers 2] [--rounds 7]

Caged: `sequela.workers.each`, fresh interpreters with limits on memory and time, each replaced
when a file kills it. Unprotected: `concurrent.futures.ProcessPoolExecutor` with the same function,
spawned, without any limit, but each in a session of its own as the caged ones are: by sessions a
kernel may share a busy processor. Both with one thread a child; the first half of the images is
left out of the rate, for the children start in it. The ratio of a round compares neighbours in
time, for the machine may be shared; the median and the range of the rounds are printed.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

from preparation import phantom, write

from sequela.modalities.mammogram import PixelPolicy, prepare_image
from sequela.workers import Failure, each

BAR = 0.9


def rate(results: Iterable[object]) -> float:
    """Results a second in the second half."""
    ends = []
    for result in results:
        assert not isinstance(result, Failure), result
        ends.append(time.perf_counter())
    half = len(ends) // 2
    return (len(ends) - half) / (ends[-1] - ends[half - 1])


def caged(files: list[Path], policy: PixelPolicy, workers: int) -> float:
    tasks = [(path, policy) for path in files]
    done = each(prepare_image, tasks, workers=workers)
    return rate(one.value for one in done)


def unprotected(files: list[Path], policy: PixelPolicy, workers: int) -> float:
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=spawn, initializer=os.setsid) as pool:
        list(pool.map(time.sleep, [1.0] * 2 * workers))  # none is idle, so all are started
        return rate(pool.map(prepare_image, files, [policy] * len(files)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--encodings", nargs="*", default=("explicit", "jpeg-lossless-sv1"))
    options = parser.parse_args()
    policy = PixelPolicy()
    with tempfile.TemporaryDirectory() as folder:
        for encoding in options.encodings:
            path = Path(folder) / f"{encoding}.dcm"
            write(path, phantom(0), encoding)
            ratios = []
            for _ in range(options.rounds):
                rates = [way([path] * options.images, policy, options.workers) for way in WAYS]
                ratios.append(rates[0] / rates[1])
            middle = statistics.median(ratios)
            print(
                f"{encoding}, {options.workers} workers: caged over unprotected {middle:.2f} "
                f"({min(ratios):.2f} to {max(ratios):.2f}; bar: at least {BAR}): "
                f"{'kept' if middle >= BAR else 'MISSED'}"
            )


WAYS = (caged, unprotected)


if __name__ == "__main__":
    main()
