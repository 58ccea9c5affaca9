from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch

sys.path.append(str(Path(__file__).parent))  # tumours.py

from tumours import tumour_project

from sequela.encoders.image import ImageEncoderConfig
from sequela.encoders.text import TextEncoderConfig
from sequela.fusion.timeline import latest_exams
from sequela.modalities.batch import Batch
from sequela.models.lumin import Lumin, LuminConfig
from sequela.training.project import Fold, Project
from sequela.training.run import Run
from sequela.training.supervision import train

SIZE, WORDS = 64, 40
ROBERTA: dict[str, Any] = {
    "model_type": "roberta",
    "vocab_size": WORDS,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 34,
    "type_vocab_size": 1,
    "pad_token_id": 1,
}


@pytest.fixture(scope="session")
def model() -> Lumin:
    """LUMIN in small, with fresh weights."""
    torch.manual_seed(1)
    config = LuminConfig(
        image=ImageEncoderConfig(name="test_resnet"),
        text=TextEncoderConfig(encoder="tiny", architecture=ROBERTA),
        dim=16,
        heads=2,
    )
    model = Lumin(config, 1, initial_weights=False)
    for module in model.modules():  # a fresh residual block ends in zeros and passes nothing on
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
    return model.eval()


@pytest.fixture
def batch() -> Batch:
    """Three patients: whole, one exam with one view, and one without images and texts."""
    generator = torch.Generator().manual_seed(2)
    lengths = torch.tensor([[9, 5], [0, 7], [0, 0]])
    view_mask = torch.zeros(3, 2, 4, dtype=torch.bool)
    view_mask[0], view_mask[1, 1, 0] = True, True
    tokens = torch.randint(5, WORDS, (3, 2, 9), generator=generator)
    tokens[:, :, 0] = 0
    tokens.scatter_(2, (lengths - 1).clamp(min=0)[:, :, None], 2)
    return Batch(
        day=torch.tensor([[-400.0, 0.0], [0.0, 0.0], [-380.0, 0.0]]),
        exam_mask=torch.tensor([[True, True], [False, True], [True, True]]),
        views=torch.rand(3, 2, 4, SIZE, SIZE, generator=generator),
        view_kind=torch.arange(4).expand(3, 2, 4),
        view_mask=view_mask,
        tokens=tokens,
        token_mask=torch.arange(9) < lengths[:, :, None],
        text_mask=lengths > 0,
    )


@pytest.fixture
def seen(batch: Batch) -> Batch:
    return latest_exams(batch, 2)


@pytest.fixture(scope="session")
def tumours(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Simulated patients with slides, genes and reports, prepared."""
    return tumour_project(tmp_path_factory.mktemp("tumours") / "cohort")


@pytest.fixture(scope="session")
def kemm(tumours: Project) -> Run:
    """A KEMM of theirs, trained for an epoch."""
    return train(tumours, "kemm", Fold())
