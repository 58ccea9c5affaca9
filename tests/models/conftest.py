from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from sequela.encoders.image import ImageEncoderConfig
from sequela.encoders.text import TextEncoderConfig
from sequela.modalities.batch import Batch
from sequela.modalities.text import TextSettings, TinyEncoderSettings, train_tiny_encoder
from sequela.models.lumin import LuminConfig

TINY_IMAGE = ImageEncoderConfig(
    name="resnet10t",
    options={"channels": [8, 8, 8, 16], "stem_width": 4, "stem_type": "", "zero_init_last": False},
)


@pytest.fixture(scope="session")
def full(tmp_path_factory: pytest.TempPathFactory) -> LuminConfig:
    """LUMIN in full with the smallest of encoders."""
    folder: Path = tmp_path_factory.mktemp("text-encoder")
    tiny = TinyEncoderSettings(vocabulary=300, layers=1, dim=16, heads=2)
    train_tiny_encoder(["a mass in the left breast"], folder, TextSettings(tokens=16, tiny=tiny))
    text = TextEncoderConfig(encoder=str(folder))
    return LuminConfig(image=TINY_IMAGE, text=text, dim=16, heads=2, layers=1)


@pytest.fixture(scope="session")
def make_batch() -> Callable[..., Batch]:
    """Patients with two exams, one exam, missing views, no view, no text."""

    def make(patients: int = 6, exams: int = 2, seed: int = 0) -> Batch:
        random = torch.Generator().manual_seed(seed)
        shape = (patients, exams)
        exam_mask = torch.ones(shape, dtype=torch.bool)
        exam_mask[1, 1:] = False
        day = torch.arange(exams).sub(exams - 1).mul(300.0).repeat(patients, 1)
        day[1] = 0.0
        view_mask = torch.rand((*shape, 4), generator=random) < 0.8
        view_mask[0], view_mask[2, 0] = True, False
        text_mask = torch.ones(shape, dtype=torch.bool)
        text_mask[-1, -1] = False
        lengths = torch.randint(3, 9, (*shape, 1), generator=random)
        return Batch(
            day=day,
            exam_mask=exam_mask,
            views=torch.randint(0, 256, (*shape, 4, 32, 32), generator=random, dtype=torch.uint8),
            view_kind=torch.arange(4).expand(*shape, 4),
            view_mask=view_mask & exam_mask[:, :, None],
            tokens=torch.randint(5, 200, (*shape, 9), generator=random),
            token_mask=torch.arange(9) < lengths,
            text_mask=text_mask & exam_mask,
        )

    return make
