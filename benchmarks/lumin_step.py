"""What LUMIN's own modules add to a training step: at most 5 % of its encoders alone is the bar.

    python benchmarks/lumin_step.py [patients] [pixels] [rounds] [device]

A step is forward, backward and AdamW at the paper's size: ResNet-50 over four views of two exams,
RoBERTa of 12 layers over two texts of 256 tokens, vectors of 256, Transformer of 2 layers. Beside
it the same encoders to the same vectors, with a linear output on their mean in the place of CM-DKE,
TE-DKE and the aggregation. Rounds are interleaved in one process; medians. The paper's images are
512 x 512: smaller ones make the encoders cheaper and the share of the rest larger, so the figure
at reduced resolution is an upper bound of the paper's.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable

import torch
from torch import nn

from sequela.encoders.image import ImageEncoderConfig
from sequela.encoders.text import TextEncoderConfig
from sequela.modalities.batch import Batch
from sequela.models.lumin import Lumin, LuminConfig

BAR = 1.05
ROBERTA = {"model_type": "roberta", "vocab_size": 30522, "max_position_embeddings": 514}


class EncodersAlone(nn.Module):
    """The image and the text encoder of LUMIN, and one linear layer on their mean vector."""

    def __init__(self, whole: Lumin) -> None:
        super().__init__()
        self.image, self.text = whole.image, whole.text
        self.output = nn.Linear(whole.config.dim, 1)

    def forward(self, batch: Batch) -> torch.Tensor:
        """One logit a patient."""
        assert self.image is not None and self.text is not None
        vectors = self.image(batch)[0].mean(dim=1) + self.text(batch)[0].mean(dim=1)
        return self.output(vectors)


def main(patients: int, pixels: int, rounds: int, device: str) -> bool:
    """Print both times and their ratio."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    text = TextEncoderConfig(encoder="none", architecture=ROBERTA)
    config = LuminConfig(image=ImageEncoderConfig(name="resnet50"), text=text)
    whole = Lumin(config, 1, initial_weights=False).to(device).train()
    alone = EncodersAlone(whole).to(device).train()
    batch = made(patients, pixels).to(torch.device(device))
    steps = {
        "LUMIN": stepper(whole, lambda: whole(batch).logits, device),
        "encoders alone": stepper(alone, lambda: alone(batch), device),
    }
    times: dict[str, list[float]] = {name: [] for name in steps}
    for place in range(rounds + 1):
        for name in sorted(steps, reverse=bool(place % 2)):
            seconds = steps[name]()
            if place:  # the first round warms the caches
                times[name].append(seconds)
    medians = {name: statistics.median(found) for name, found in times.items()}
    ratio = statistics.median(
        one / other for one, other in zip(times["LUMIN"], times["encoders alone"], strict=True)
    )
    own = sum(p.numel() for p in whole.parameters())
    own -= sum(p.numel() for part in (whole.image, whole.text) if part for p in part.parameters())
    print(f"{patients} patients, 2 x 4 views of {pixels} x {pixels}, {device}, {rounds} rounds")
    print(", ".join(f"{name} {median:.3f} s" for name, median in medians.items()))
    print(f"own modules: {own:,} parameters; ratio {ratio:.3f}, bar {BAR}")
    return ratio <= BAR


def made(patients: int, pixels: int) -> Batch:
    """Patients with two complete exams."""
    shape = (patients, 2)
    return Batch(
        day=torch.tensor([[-365.0, 0.0]]).repeat(patients, 1),
        exam_mask=torch.ones(shape, dtype=torch.bool),
        views=torch.randint(0, 256, (*shape, 4, pixels, pixels), dtype=torch.uint8),
        view_kind=torch.arange(4).expand(*shape, 4),
        view_mask=torch.ones((*shape, 4), dtype=torch.bool),
        tokens=torch.randint(5, 30000, (*shape, 256)),
        token_mask=torch.ones((*shape, 256), dtype=torch.bool),
        text_mask=torch.ones(shape, dtype=torch.bool),
    )


def stepper(
    model: nn.Module, logits: Callable[[], torch.Tensor], device: str
) -> Callable[[], float]:
    """A step of a model, and the seconds that it takes."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5)

    def step() -> float:
        started = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        logits().square().mean().backward()
        optimizer.step()
        if device == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - started

    return step


if __name__ == "__main__":
    given = [int(word) for word in sys.argv[1:4]]
    patients, pixels, rounds = (*given, *(2, 256, 7)[len(given) :])
    device = sys.argv[4] if len(sys.argv) > 4 else "cpu"
    sys.exit(0 if main(patients, pixels, rounds, device) else 1)
