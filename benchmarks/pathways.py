"""A packed network a gene set against the loop of small networks: a step, optimiser included.

    python benchmarks/pathways.py [GMT] [--patients 1 8 16 32] [--steps 9]

The loop is an own re-implementation of what SurvPath's authors do: 331 nn.Sequential and PyTorch's
AdamW as it comes, at one patient a step as they train, and at as many as the packed form. CPU time
on one thread, interleaved in one run; ratios are medians over steps.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sequela.encoders.pathway import Membership, PathwayEncoder

HIDDEN, DIM = 256, 256


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


def membership(file: Path | None) -> tuple[Membership, int]:
    if file:
        lines = file.read_text().splitlines()
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
    started = time.process_time()
    vectors, _ = model(genes, mask)
    loss = F.mse_loss(vectors, torch.ones_like(vectors))
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
    return time.process_time() - started


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("file", type=Path, nargs="?", help="GMT")
    parser.add_argument("--patients", type=int, nargs="+", default=[1, 8, 16, 32])
    parser.add_argument("--steps", type=int, default=9)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    sets, count = membership(asked.file)
    entries = sum(map(len, sets.genes))
    print(f"{len(sets.sets)} sets, {count} genes, {entries} memberships, width {HIDDEN}")
    loop, packed = Loop(sets), PathwayEncoder(sets, count, HIDDEN, DIM, 0.25)
    print(f"blocks {len(packed.blocks)}, padding {len(packed.columns) / entries - 1:.1%}")
    of_loop = torch.optim.AdamW(loop.parameters(), lr=1e-4)
    of_packed = torch.optim.AdamW(packed.parameters(), lr=1e-4, fused=True)
    print(f"{'patients':>8}{'loop':>10}{'packed':>10}{'a step':>9}{'a patient, loop at 1':>22}")
    for patients in asked.patients:
        genes, alone = torch.randn(patients, count), torch.randn(1, count)
        times = [
            (
                step(loop, of_loop, genes),
                step(packed, of_packed, genes),
                step(loop, of_loop, alone),
            )
            for _ in range(asked.steps + 2)
        ][2:]
        ours, theirs = (np.median([row[at] for row in times]) * 1e3 for at in (1, 0))
        same = np.median([packed_ / loop_ for loop_, packed_, _ in times])
        a_patient = np.median([packed_ / patients / one for _, packed_, one in times])
        print(
            f"{patients:8d}{theirs:7.0f} ms{ours:7.0f} ms{same:8.2f}x{a_patient:21.3f}x", flush=True
        )


if __name__ == "__main__":
    main()
