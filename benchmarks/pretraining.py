"""Alignment pre-training: memory and time of gradient caching, half precision, and a projection.

    python benchmarks/pretraining.py [--rounds 3] [--parts memory time precision projection]

ResNet-50, four views an exam, a small text encoder so that images decide. Memory is the peak
resident size of a child process that does a step in one thread. Times are medians of the
processor time of steps taken in turn in one process. Gradient caching is timed in two threads,
as `machine.threads` takes all cores: in one alone PyTorch passes fewer than 16 images through
1 × 1 convolutions of its own instead of oneDNN's, and slowly. All at 192²,
for two busy cores allow no more; smaller images flatter no time: at 96² each piece's cost of
touching all weights made caching 2.25 × plain. Weights, gradients, Adam's moments and the
libraries are in the peak, and weigh more the smaller the images are: at 512² both shares of
memory are smaller. The projection counts the operations of the paper's configuration (512²,
RoBERTa of 12 layers, 256 tokens) and says what rate it assumes.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", HF_HUB_OFFLINE="1")
os.environ["OMP_WAIT_POLICY"] = "PASSIVE"  # a thread that waits takes no processor time

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from sequela.encoders.image import ImageEncoderConfig
from sequela.encoders.text import TextEncoderConfig
from sequela.modalities.batch import Batch, Sample
from sequela.modalities.text import TextSettings, TinyEncoderSettings, train_tiny_encoder
from sequela.models.contrastive import AlignmentModel
from sequela.training.fitting import MachineSettings, PretrainSettings
from sequela.training.loop import Fit, step_seconds
from sequela.training.objectives import Alignment, Examples

EXAMS, EPOCHS = 19_684, 20
CHUNK = 1


@dataclass(frozen=True)
class Exams:
    """Exams of four random views and a text, each of another patient."""

    size: int
    count: int

    def __len__(self) -> int:
        return self.count

    def at(self, epoch: int) -> Exams:
        return self

    def __getitem__(self, index: int) -> Sample:
        random = torch.Generator().manual_seed(index)
        shape = (1, 1, 4, self.size, self.size)
        return Batch(
            day=torch.zeros(1, 1),
            exam_mask=torch.ones((1, 1), dtype=torch.bool),
            views=torch.randint(0, 256, shape, generator=random, dtype=torch.uint8),
            view_kind=torch.arange(4)[None, None],
            view_mask=torch.ones((1, 1, 4), dtype=torch.bool),
            tokens=torch.randint(5, 250, (1, 1, 64), generator=random),
            token_mask=torch.ones((1, 1, 64), dtype=torch.bool),
            text_mask=torch.ones((1, 1), dtype=torch.bool),
        )


def task(
    batch: int,
    chunk: int | None,
    size: int,
    precision: str = "float32",
    channels_last: bool = True,
    steps: int = 2,
) -> Fit:
    with tempfile.TemporaryDirectory() as folder:
        tiny = TinyEncoderSettings(vocabulary=300, layers=1, dim=64, heads=2)
        train_tiny_encoder(["a mass"], Path(folder), TextSettings(tokens=64, tiny=tiny))
        torch.manual_seed(0)
        image = ImageEncoderConfig(name="resnet50", channels_last=channels_last)
        model = AlignmentModel(image, TextEncoderConfig(encoder=folder), 256)
    rows = np.arange(batch * steps)
    settings = PretrainSettings.model_validate(
        {"batch": batch, "chunk": chunk, "batch_norm": "frozen", "precision": precision}
    )
    objective = Alignment(tuple(map(str, rows)), rows, Examples(rows, rows[:0], batch, 0))
    machine = MachineSettings(device="cpu", threads=1, workers=0)
    exams = Exams(size, len(rows))
    return Fit(model, objective, exams, exams, settings, machine)


def peak(batch: int, chunk: int | None, size: int) -> tuple[float, float]:
    """Megabytes that a forked child holds at the most in a step, and before it."""
    read, write = os.pipe()
    if (child := os.fork()) == 0:
        prepared = task(batch, chunk, size)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        step_seconds(prepared, steps=0)
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        os.write(write, json.dumps([after, before]).encode())
        os._exit(0)
    os.close(write)
    os.waitpid(child, 0)
    highest, before = json.loads(os.read(read, 999))
    return highest, before


def memory(size: int) -> None:
    print(f"peak resident memory, {size}², chunk of {CHUNK} exam(s) (4 views each):")
    cases = [(4, CHUNK), (8, CHUNK), (8, None), (24, CHUNK)]
    found = {case: peak(*case, size) for case in cases}
    for (batch, chunk), (highest, before) in found.items():
        way = "plain" if chunk is None else "cached"
        print(
            f"  batch {batch:>3} {way:<7}{highest:>7.0f} MB, {highest - before:>6.0f} MB of it by "
            "the step",
            flush=True,
        )
    flat = found[24, CHUNK][0] / found[4, CHUNK][0]
    share = found[8, CHUNK][0] / found[8, None][0]
    told(f"cached, batch 24 / batch 4: {flat:.2f}", "about 1", flat <= 1.1)
    told(f"cached / plain at batch 8: {share:.2f}", "at most 0.45", share <= 0.45)


def timed(prepared: Fit) -> float:
    """Processor time of a step: the machine may be shared."""
    began = time.process_time()
    step_seconds(prepared, steps=0)
    return time.process_time() - began


def times(rounds: int, size: int, threads: int) -> None:
    torch.set_num_threads(threads)
    ways = {"plain": task(8, None, size), "cached": task(8, CHUNK, size)}
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(rounds):
        for way, prepared in ways.items():
            seconds[way].append(timed(prepared))
    torch.set_num_threads(1)
    print(f"a step of batch 8, {size}², {threads} thread(s):")
    base = statistics.median(seconds["plain"])
    for way, taken in seconds.items():
        middle = statistics.median(taken)
        print(f"  {way:<18}{middle:>7.2f} s   {middle / base:.2f} × plain")
    share = statistics.median(seconds["cached"]) / base
    told(f"cached / plain: {share:.2f}", "at most 1.4", share <= 1.4)


def precisions(rounds: int, size: int) -> None:
    flags = Path("/proc/cpuinfo").read_text(encoding="utf-8") if sys.platform == "linux" else ""
    has = [name for name in ("amx_bf16", "avx512_bf16") if name in flags]
    print(f"this processor computes bfloat16 by {', '.join(has) or 'nothing of its own'}")
    ways = {
        "float32": task(4, None, size, "float32", False),
        "float32, channels last": task(4, None, size, "float32", True),
        "bfloat16, channels last": task(4, None, size, "bfloat16", True),
    }
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(rounds):
        for way, prepared in ways.items():
            seconds[way].append(timed(prepared))
    base = statistics.median(seconds["float32"])
    for way, taken in seconds.items():
        middle = statistics.median(taken)
        print(f"  {way:<24}{middle:>7.2f} s   {middle / base:.2f} × float32")
    share = statistics.median(seconds["bfloat16, channels last"]) / base
    told(f"bfloat16 channels last / float32: {share:.2f}", "at most 0.35", share <= 0.35)


def projection(size: int) -> None:
    """From counted operations; nothing here was run on a GPU."""
    import timm
    from transformers import RobertaConfig, RobertaModel

    with torch.device("meta"):
        images = timm.create_model("resnet50", in_chans=1, num_classes=0)
        texts = RobertaModel(RobertaConfig(vocab_size=30_522, max_position_embeddings=514))
        with FlopCounterMode(display=False) as counted:
            images(torch.empty(4, 1, size, size)).sum().backward()
            texts(torch.empty(1, 256, dtype=torch.int64)).last_hidden_state.sum().backward()
    exam = counted.get_total_flops()
    whole = exam * EXAMS * EPOCHS
    print(f"projected, not measured: {EXAMS:,} exams × {EPOCHS} epochs, 4 views of {size}²")
    print(f"  {exam / 1e12:.3f} TFLOP an exam and step, {whole / 1e18:.3f} EFLOP in all; with")
    print(f"  gradient caching (a second forward pass) 4/3 of it, {whole * 4 / 3 / 1e18:.3f} EFLOP")
    for rate in (50, 100, 200, 300):
        plain, cached = (share * whole / (rate * 1e12) / 3600 for share in (1, 4 / 3))
        pictures = 4 * rate * 1e12 / exam
        print(
            f"  at {rate:>3} TFLOP/s sustained: {plain:.1f} h plain, {cached:.1f} h cached, "
            f"{pictures:,.0f} images/s"
        )


def told(what: str, bar: str, kept: bool) -> None:
    print(f"  {what} (bar: {bar}): {'kept' if kept else 'MISSED'}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parts = ("memory", "time", "precision", "projection")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2, help="of the part `time`")
    parser.add_argument("--parts", nargs="*", default=parts, choices=parts)
    options = parser.parse_args()
    torch.set_num_threads(1)
    began = time.perf_counter()
    if "projection" in options.parts:
        projection(512)
    if "memory" in options.parts:
        memory(192)
    if "time" in options.parts:
        times(options.rounds, 192, options.threads)
    if "precision" in options.parts:
        precisions(options.rounds, 192)
    print(f"all of it took {time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
