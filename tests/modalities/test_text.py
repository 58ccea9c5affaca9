from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sequela.errors import UsageError
from sequela.modalities.text import (
    TextSettings,
    TinyEncoderSettings,
    encode_texts,
    load_tokenizer,
    train_tiny_encoder,
)

SETTINGS = TextSettings(
    tokens=12, tiny=TinyEncoderSettings(vocabulary=320, layers=1, dim=16, heads=2)
)
LONG = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("encoder")
    train_tiny_encoder(["a mass grows in the left breast", LONG], folder, SETTINGS)
    return folder


def test_the_same_texts_and_seed_make_the_same_files(folder: Path, tmp_path: Path) -> None:
    train_tiny_encoder(["a mass grows in the left breast", LONG], tmp_path, SETTINGS)
    for file in ("tokenizer.json", "model.safetensors", "config.json"):
        assert (tmp_path / file).read_bytes() == (folder / file).read_bytes(), file


def test_head_keeps_the_beginning_and_head_and_tail_both_ends(folder: Path) -> None:
    tokenizer = load_tokenizer(str(folder))
    whole = tokenizer(LONG)["input_ids"]
    head = encode_texts([LONG], tokenizer, SETTINGS.evolve(truncation="head")).tokens[0]
    both = encode_texts([LONG], tokenizer, SETTINGS).tokens[0]
    assert len(whole) > 12 == len(head) == len(both)
    assert head.tolist() == [*whole[:11], whole[-1]]
    assert both.tolist() == [*whole[:6], *whole[-6:]]


def test_the_share_of_truncated_texts_is_told(folder: Path) -> None:
    encoded = encode_texts(["a mass", LONG], load_tokenizer(str(folder)), SETTINGS)
    assert encoded.truncated == 0.5
    assert len(encoded.tokens[0]) < 12


def test_any_text_can_be_written_again_from_its_tokens(folder: Path) -> None:
    tokenizer = load_tokenizer(str(folder))
    words = "géén recidief, 3 mm ≥ ü"
    ids = encode_texts([words], tokenizer, SETTINGS.evolve(tokens=64)).tokens[0]
    assert tokenizer.decode(ids, skip_special_tokens=True).strip() == words
    assert np.issubdtype(ids.dtype, np.integer)


def test_a_folder_without_tokenizer_is_refused_without_its_path(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as refusal:
        load_tokenizer(str(tmp_path / "nothing"))
    assert "nothing" in refusal.value.message
    assert str(tmp_path) not in refusal.value.message
