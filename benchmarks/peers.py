"""KEMM and its peers on the same bag: time, memory and operations of a step and of inference.

    python benchmarks/peers.py [--patches 4096 16384 65536] [--precision float32 bfloat16]
                               [--models survpath "kemm, linear" …] [--all] [--repeats 5]

Own re-implementations of the peers (sequela/models), on one patient with 331 gene sets and a bag
of patches of width 1024. `survpath, loop` is SurvPath with 331 networks one after another and a
plain AdamW, as published; `kemm` has a ReLU adapter, `linear` is the folded one, and both have the
peers' width of 256; `small` is KEMM as it comes (width 32); `1 head` is the variant kemm-one-head.
A step is forward, backward and AdamW. Everything is interleaved in one run on one thread; a ratio
is the median over repeats of CPU time by SurvPath's in the same repeat. Memory is the growth of a
forked child's peak resident set beyond the batch and the weights. `work` are the dispatched
operations of a step that compute: neither views nor empty allocations.
"""

from __future__ import annotations

import argparse
import ctypes
import multiprocessing
import os
import re
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from sequela.encoders.pathway import Membership, PathwayEncoder
from sequela.modalities.batch import Batch
from sequela.models.build import build_model
from sequela.models.data_shape import DataShape
from sequela.models.gene_tokens import GeneTokens
from sequela.models.kemm_config import KemmConfig
from sequela.models.peer_config import DESIGNS, PeerConfig

FEATURE, SETS, GENES, FIELDS, CLAIMS, TEXT, LOGITS = 1024, 331, 5000, 16, 12, 256, 4
FIRST = "survpath"
_VIEWS = re.compile(
    r"view|reshape|expand|permute|transpose|\bt\b|slice|select|unsqueeze|squeeze|split|detach|alias"
    r"|as_strided|unbind|chunk|narrow"
)
_MMAP_THRESHOLD = -3
_EMPTY = re.compile(r"^empty")
KEMM = (
    "kemm",
    "kemm, 1 head",
    "kemm, linear",
    "kemm, linear, 1 head",
    "kemm small, linear",
    "kemm small, linear, 1 head",
)


def membership() -> Membership:
    """Gene sets of about the sizes of the 331 that SurvPath uses."""
    random = np.random.default_rng(0)
    sizes = np.clip(random.lognormal(3.3, 0.9, SETS).astype(int), 5, 200)
    names = [f"G{gene}" for gene in range(GENES)]
    sets = {
        f"S{place}": list(random.choice(names, size, False)) for place, size in enumerate(sizes)
    }
    return Membership.of(sets, names)


def batch_of(patches: int, precision: torch.dtype) -> Batch:
    random = torch.Generator().manual_seed(0)

    def drawn(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=random).to(precision)

    def there(*shape: int) -> Tensor:
        return torch.ones(shape, dtype=torch.bool)

    return Batch(
        day=drawn(1, 0),
        exam_mask=there(1, 0),
        patches=drawn(1, patches, FEATURE),
        patch_mask=there(1, patches),
        genes=drawn(1, GENES),
        gene_mask=there(1, GENES),
        fields=drawn(1, FIELDS, TEXT),
        field_mask=there(1, FIELDS),
        claims=drawn(1, CLAIMS, TEXT),
        claim_modality=(torch.arange(CLAIMS) % 2)[None],
        claim_direction=torch.ones(1, CLAIMS).to(precision),
        claim_mask=there(1, CLAIMS),
    )


class Loop(nn.Module):
    """A network a gene set, one after another."""

    def __init__(self, packed: PathwayEncoder, dropout: float) -> None:
        super().__init__()
        dim, hidden = packed.second.shape[2], packed.hidden
        self.columns = [torch.tensor(columns) for columns in packed.membership.genes]
        self.networks = nn.ModuleList(
            nn.Sequential(
                nn.Linear(len(columns), hidden),
                nn.ELU(),
                nn.AlphaDropout(dropout),
                nn.Linear(hidden, dim),
                nn.ELU(),
                nn.AlphaDropout(dropout),
            )
            for columns in packed.membership.genes
        )

    def forward(self, genes: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        pairs = zip(self.networks, self.columns, strict=True)
        found = torch.stack([network(genes[:, columns]) for network, columns in pairs], dim=1)
        return found, torch.ones(found.shape[:2], dtype=torch.bool)


def model_of(name: str) -> nn.Module:
    torch.manual_seed(0)
    of = membership()
    shape = DataShape(
        patch=FEATURE,
        genes={"genes": GENES},
        members={"genes": of.genes},
        sets={"genes": of.sets},
        fields=FIELDS,
        text=TEXT,
    )
    if name.startswith("kemm"):
        sizes = KemmConfig(reads=("slide", "genes", "report"), skip=(), shape=shape)
        if "1 head" in name:
            sizes = sizes.evolve(heads=1)
        if "small" not in name:
            sizes = sizes.evolve(dim=256, hidden=256)
        return build_model(sizes.evolve(adapter="linear" if "linear" in name else "relu"), LOGITS)
    design = name.split(",")[0]
    config = PeerConfig.model_validate({"design": design, "shape": shape})
    there = {"slide": True, "genes": True, "report": True}
    model = build_model(config.reads_of(there), LOGITS)
    if "loop" in name:
        tokens = model.genes
        assert isinstance(tokens, GeneTokens)
        packed = tokens.networks["genes"]
        assert isinstance(packed, PathwayEncoder)
        tokens.networks["genes"] = Loop(packed, config.dropout)
    return model


class Counted(TorchDispatchMode):
    """How many operations were dispatched, and how many of them computed anything."""

    def __init__(self) -> None:
        super().__init__()
        self.all, self.work = 0, 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        self.all += 1
        name = func.name().removeprefix("aten::").split(".")[0]
        self.work += not (_VIEWS.search(name) or _EMPTY.search(name))
        return func(*args, **(kwargs or {}))


def step_of(name: str, precision: torch.dtype) -> Callable[[Batch, bool], Tensor]:
    model = model_of(name).to(precision)
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-4, fused="loop" not in name)

    def step(batch: Batch, train: bool) -> Tensor:
        model.train(train)
        with torch.inference_mode(not train):
            output = model(batch)
            if train:
                loss = output.logits.float().square().sum()
                (loss if output.penalty is None else loss + output.penalty).backward()
                optimiser.step()
                optimiser.zero_grad(set_to_none=True)
        return output.logits

    return step


def extra_memory(name: str, precision: torch.dtype, patches: int, train: bool) -> float:
    """MiB at the peak of one pass, beyond what stood before it."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()

    def child() -> None:
        step, batch = step_of(name, precision), batch_of(patches, precision)
        step(replace(batch, **_few(batch)), train)
        libc = ctypes.CDLL("libc.so.6")
        # Blocks of a MiB and more are handed back when they are freed, or holes would count.
        libc.mallopt(_MMAP_THRESHOLD, 1 << 20)
        libc.malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")
        before = _resident("VmRSS")
        step(batch, train)
        theirs.send((_resident("VmHWM") - before) / 1024)

    process = context.Process(target=child)
    process.start()
    theirs.close()  # so that a child that fails is told apart from one that is slow
    found = float(ours.recv())
    process.join()
    return found


def _few(batch: Batch) -> dict[str, Tensor]:
    assert batch.patches is not None
    assert batch.patch_mask is not None
    return {
        "patches": batch.patches[:, :64].clone(),
        "patch_mask": batch.patch_mask[:, :64].clone(),
    }


def _resident(field: str) -> int:
    status = Path("/proc/self/status").read_text()
    (found,) = re.findall(rf"{field}:\s+(\d+) kB", status)
    return int(found)


def compare(names: list[str], patches: int, precision: torch.dtype, repeats: int) -> None:
    """Print a row a model."""
    word = str(precision).removeprefix("torch.")
    peaks = {
        (name, train): extra_memory(name, precision, patches, train)
        for name in names
        for train in (True, False)
    }
    steps, batch = {name: step_of(name, precision) for name in names}, batch_of(patches, precision)
    seconds: dict[tuple[str, bool], list[float]] = {key: [] for key in peaks}
    for repeat in range(repeats + 1):
        for key in peaks:
            started = time.process_time()
            steps[key[0]](batch, key[1])
            if repeat:
                seconds[key].append(time.process_time() - started)
    print(f"\n{patches} patches, {word}, one thread, {repeats} repeats")
    print(
        f"{'':28}{'step':>18}{'inference':>18}{'MiB step':>16}{'MiB infer.':>16}"
        f"{'ops':>8}{'work':>8}"
    )
    for name in names:
        cells = ""
        for train in (True, False):
            ratios = np.array(seconds[name, train]) / seconds[FIRST, train]
            median = np.median(seconds[name, train])
            cells += f"{median * 1e3:9.0f} ms{np.median(ratios):5.2f}x"
        for train in (True, False):
            ratio = peaks[name, train] / max(peaks[FIRST, train], 1e-9)
            cells += f"{peaks[name, train]:9.0f}{ratio:6.2f}x"
        with Counted() as counted:
            steps[name](batch, True)
        print(f"{name:28}{cells}{counted.all:8d}{counted.work:8d}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--patches", type=int, nargs="+", default=[4096, 16384, 65536])
    parser.add_argument("--precision", nargs="+", default=["float32", "bfloat16"])
    parser.add_argument("--models", nargs="+", default=[FIRST, f"{FIRST}, loop", *KEMM])
    parser.add_argument("--all", action="store_true", help="The other peers too.")
    parser.add_argument("--repeats", type=int, default=5)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    names = [*asked.models, *(d for d in DESIGNS if asked.all and d not in asked.models)]
    for precision in asked.precision:
        for patches in asked.patches:
            compare(names, patches, getattr(torch, precision), asked.repeats)


if __name__ == "__main__":
    main()
