"""One attention of few queries over many patches: its forms against the textbook's, and 100,000.

    python benchmarks/folded_attention.py [--patches 16384 100000] [--queries 26] [--repeats 5]

The textbook projects keys and values of all patches and holds all scores. For each width, number
of heads and form: CPU time of a training step and of inference by the textbook's in the same
repeat (medians, interleaved, one thread, float32), the largest difference of what comes out, and
MiB of a forked child's peak in inference beyond the patches and the weights.
"""

from __future__ import annotations

import argparse
import ctypes
import math
import multiprocessing
import os
import re
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from einops import rearrange
from torch import Tensor

from sequela.fusion import knowledge_attention
from sequela.fusion.knowledge_attention import FoldedAttention

FEATURE = 1024
_MMAP_THRESHOLD = -3
SHAPES = ((32, 4), (32, 1), (256, 4), (256, 1))


def textbook(attention: FoldedAttention, queries: Tensor, values: Tensor) -> Tensor:
    """Attention with all patches projected and all scores held."""
    query, key, value = (
        rearrange(made, "p t (h w) -> p h t w", h=attention.heads)
        for made in (attention.query(queries), attention.key(values), attention.value(values))
    )
    weights = (query @ key.transpose(2, 3) / math.sqrt(attention.width)).softmax(dim=3)
    return attention.out(rearrange(weights @ value, "p h q w -> p q (h w)"))


def seconds(form: Callable[[], Tensor], train: bool) -> float:
    started = time.process_time()
    with torch.inference_mode(not train):
        found = form()
        if train:
            found.square().sum().backward()
    return time.process_time() - started


def peak(form: Callable[[], Tensor]) -> float:
    """MiB that inference takes beyond what stands before it."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()

    def child() -> None:
        torch.set_num_threads(1)
        libc = ctypes.CDLL("libc.so.6")
        # Blocks of a MiB and more are handed back when they are freed, or holes would count.
        libc.mallopt(_MMAP_THRESHOLD, 1 << 20)
        libc.malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")
        before = _resident("VmRSS")
        seconds(form, train=False)
        theirs.send((_resident("VmHWM") - before) / 1024)

    process = context.Process(target=child)
    process.start()
    theirs.close()
    found = float(ours.recv())
    process.join()
    return found


def _resident(field: str) -> int:
    (found,) = re.findall(rf"{field}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found)


def compare(dim: int, heads: int, count: int, values: Tensor, repeats: int) -> None:
    torch.manual_seed(0)
    attention = FoldedAttention(dim, FEATURE, heads)
    # Large enough that a query prefers some patches to others.
    queries = 5 * torch.randn(1, count, dim)
    mask = torch.ones(values.shape[:2], dtype=torch.bool)

    def own() -> Tensor:
        return attention(queries, values, mask)

    def plain() -> Tensor:
        return textbook(attention, queries, values)

    ratios = {}
    for train in (True, False):
        pairs = [(seconds(own, train), seconds(plain, train)) for _ in range(repeats + 1)][1:]
        ratios[train] = float(np.median([one / other for one, other in pairs]))
    with torch.inference_mode():
        apart = float((own() - plain()).abs().max())
    form = "projected" if attention.projects(count, values) else "folded"
    print(
        f"{values.shape[1]:7d}{dim:7d}{heads:7d}  {form:10}"
        f"{ratios[True]:7.2f}x{ratios[False]:9.2f}x{apart:12.1e}{peak(own):8.0f}{peak(plain):10.0f}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--patches", type=int, nargs="+", default=[16384, 100_000])
    parser.add_argument("--queries", type=int, default=26)
    parser.add_argument("--repeats", type=int, default=5)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    if min(asked.patches) < knowledge_attention.FEW:
        parser.error(f"fewer than {knowledge_attention.FEW} patches are always projected")
    head = f"{'step':>8}{'inference':>10}{'apart':>12}{'MiB':>8}{'textbook':>10}"
    print(f"{'patches':>7}{'width':>7}{'heads':>7}  {'form':10}{head}")
    for patches in asked.patches:
        values = torch.randn(1, patches, FEATURE)
        for dim, heads in SHAPES:
            compare(dim, heads, asked.queries, values, asked.repeats)


if __name__ == "__main__":
    main()
