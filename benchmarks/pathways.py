"""A packed network a gene set against the loop of small networks: a step, optimiser included.

    python benchmarks/pathways.py [GMT]

Own re-implementation of the loop, one thread, interleaved in one run, medians of 15 steps.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sequela.encoders.pathway import Membership, PathwayEncoder

HIDDEN, DIM, STEPS = 256, 256, 15


class Loop(nn.Module):
    def __init__(self, membership: Membership) -> None:
        super().__init__()
        self.columns = [torch.tensor(columns) for columns in membership.genes]
        self.networks = nn.ModuleList(
            nn.Sequential(
                nn.Linear(len(columns), HIDDEN),
                nn.SELU(),
                nn.AlphaDropout(0.25),
                nn.Linear(HIDDEN, DIM),
                nn.SELU(),
            )
            for columns in membership.genes
        )

    def forward(self, genes: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        found = [
            network(genes[:, columns])
            for network, columns in zip(self.networks, self.columns, strict=True)
        ]
        return torch.stack(found, dim=1), mask


def membership() -> tuple[Membership, int]:
    if len(sys.argv) > 1:
        lines = Path(sys.argv[1]).read_text().splitlines()
        sets = {line.split("\t")[0]: line.split("\t")[2:] for line in lines}
    else:
        random = np.random.default_rng(0)
        sizes = np.clip(random.lognormal(3.3, 0.9, 331).astype(int), 5, 200)
        sets = {
            f"S{place}": [f"G{gene}" for gene in random.choice(5000, size, replace=False)]
            for place, size in enumerate(sizes)
        }
    genes = sorted({gene for members in sets.values() for gene in members})
    return Membership.of(sets, genes), len(genes)


def step(model: nn.Module, optimizer: torch.optim.Optimizer, genes: Tensor) -> float:
    mask = torch.ones_like(genes, dtype=torch.bool)
    started = time.perf_counter()
    vectors, _ = model(genes, mask)
    loss = F.mse_loss(vectors, torch.ones_like(vectors))
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
    return time.perf_counter() - started


def main() -> None:
    torch.set_num_threads(1)
    sets, count = membership()
    entries = sum(map(len, sets.genes))
    print(f"{len(sets.sets)} sets, {count} genes, {entries} memberships, width {HIDDEN}")
    loop, packed = Loop(sets), PathwayEncoder(sets, count, HIDDEN, DIM, 0.25)
    print(f"blocks {len(packed.blocks)}, padding {len(packed.columns) / entries - 1:.1%}")
    pairs = {
        "loop": (loop, torch.optim.AdamW(loop.parameters(), lr=1e-4)),
        "packed": (packed, torch.optim.AdamW(packed.parameters(), lr=1e-4, fused=True)),
        "packed, plain optimiser": (packed, torch.optim.AdamW(packed.parameters(), lr=1e-4)),
    }
    single = 0.0
    for patients in (1, 8, 32):
        genes = torch.randn(patients, count)
        times: dict[str, list[float]] = {name: [] for name in pairs}
        for _ in range(STEPS + 2):
            for name, (model, optimizer) in pairs.items():
                times[name].append(step(model, optimizer, genes))
        median = {name: float(np.median(found[2:])) for name, found in times.items()}
        single = single or median["loop"]
        for name, seconds in median.items():
            print(
                f"{patients:3d} patients a step, {name}: {seconds * 1e3:.1f} ms, "
                f"{seconds / median['loop']:.2f} x the loop's step; a patient "
                f"{seconds / patients / single:.3f} x the loop's at one patient a step"
            )


if __name__ == "__main__":
    main()
