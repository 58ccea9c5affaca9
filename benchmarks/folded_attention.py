"""KEMM's folded attention against a SurvPath-style step at equal precision, and inference.

    python benchmarks/folded_attention.py [patches]...

The rival is an own re-implementation: adapter 1024 to 256, 331 pathway tokens, self-attention of
the pathway tokens over all, of the patches over the pathways, feed-forward
of all tokens (Jaume et al., CVPR 2024). Interleaved in one run, threads pinned, medians.
"""

from __future__ import annotations

import sys
import time

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sequela.fusion.kecm import Asking, Masked

FEATURE, DIM, PATHWAYS, QUERIES, STEPS = 1024, 256, 331, 29, 3


class SurvPathStyle(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.adapter = nn.Linear(FEATURE, DIM)
        self.qkv = nn.Linear(DIM, 3 * DIM, bias=False)
        self.norm = nn.LayerNorm(DIM)
        self.feed = nn.Sequential(nn.Linear(DIM, DIM), nn.GELU(), nn.Linear(DIM, DIM))
        self.out = nn.Linear(2 * DIM, 4)

    def forward(self, pathways: Tensor, patches: Tensor) -> Tensor:
        tokens = self.norm(torch.cat([pathways, self.adapter(patches)], dim=1))
        query, key, value = self.qkv(tokens).chunk(3, dim=2)
        few = F.scaled_dot_product_attention(query[:, :PATHWAYS], key, value)
        many = F.scaled_dot_product_attention(
            query[:, PATHWAYS:], key[:, :PATHWAYS], value[:, :PATHWAYS]
        )
        few, many = self.feed(few), self.feed(many)
        return self.out(torch.cat([few.mean(dim=1), many.mean(dim=1)], dim=1))


class Folded(nn.Module):
    """KECM's slide half and its asking of the gene sets; `relu` is the non-linear adapter."""

    def __init__(self, adapter: str) -> None:
        super().__init__()
        self.relu = nn.Sequential(nn.Linear(FEATURE, DIM), nn.ReLU()) if adapter == "relu" else None
        self.slide = Asking(DIM, DIM if self.relu else FEATURE, heads=4, dropout=0.0)
        self.genes = Asking(DIM, DIM, heads=4, dropout=0.0)
        self.queries = nn.Parameter(torch.randn(1, QUERIES, DIM))
        self.out = nn.Linear(2 * DIM, 4)

    def forward(self, pathways: Tensor, patches: Tensor) -> Tensor:
        values = self.relu(patches) if self.relu else patches
        queries = Masked(self.queries, torch.ones((1, QUERIES), dtype=torch.bool))
        found = [
            asking(queries, Masked(of, torch.ones(of.shape[:2], dtype=torch.bool))).values
            for asking, of in ((self.slide, values), (self.genes, pathways))
        ]
        return self.out(torch.cat([one.mean(dim=1) for one in found], dim=1))


def step(model: nn.Module, pathways: Tensor, patches: Tensor, train: bool) -> float:
    started = time.perf_counter()
    with torch.set_grad_enabled(train):
        loss = model(pathways, patches).float().square().sum()
        if train:
            model.zero_grad(set_to_none=True)
            loss.backward()
    return time.perf_counter() - started


def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    sizes = [int(word) for word in sys.argv[1:]] or [4096, 16384]
    models = {
        "SurvPath-style": SurvPathStyle(),
        "KEMM, relu adapter": Folded("relu"),
        "KEMM, linear (folded)": Folded("linear"),
    }
    for size in sizes:
        pathways, patches = torch.randn(1, PATHWAYS, DIM), torch.randn(1, size, FEATURE)
        for train in (True, False):
            times: dict[str, list[float]] = {name: [] for name in models}
            for _ in range(STEPS + 1):
                for name, model in models.items():
                    times[name].append(step(model, pathways, patches, train))
            first = float(np.median(times["SurvPath-style"][1:]))
            for name, found in times.items():
                median = float(np.median(found[1:]))
                what = "training step" if train else "inference"
                print(
                    f"{size:6d} patches, {what}, {name}: {median * 1e3:.0f} ms, "
                    f"{median / first:.2f} x",
                    flush=True,
                )


if __name__ == "__main__":
    main()
