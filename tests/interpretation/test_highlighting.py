from __future__ import annotations

from typing import Any

import pytest

from sequela.interpretation.highlighting import CUT, highlighted, kept_places
from sequela.modalities.text import (
    TextSettings,
    TinyEncoderSettings,
    encode_texts,
    load_tokenizer,
    train_tiny_encoder,
)

NOTE = "Scar tissue in the left breast.\nNo new lesion;  Litteken onveranderd, geen massa."


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("encoder")
    settings = TextSettings(tiny=TinyEncoderSettings(vocabulary=300, layers=1, dim=4, heads=1))
    train_tiny_encoder([NOTE.lower()], folder, settings)
    return load_tokenizer(str(folder))


def pieces(note: str, tokenizer: Any, **settings: Any) -> list[tuple[str, float]]:
    (ids,) = encode_texts([note], tokenizer, TextSettings(**settings)).tokens
    return highlighted(note, ids.tolist(), [1.0] * len(ids), tokenizer)


def test_the_pieces_are_the_note_in_its_own_spelling(tokenizer: Any) -> None:
    found = pieces(NOTE, tokenizer)
    assert "".join(text for text, _ in found) == NOTE
    assert [text for text, weight in found if weight and text.strip()] == NOTE.split()


def test_a_word_weighs_what_its_tokens_weigh_together(tokenizer: Any) -> None:
    ids = tokenizer(NOTE)["input_ids"]
    weights = [float(place) for place in range(len(ids))]
    weights[0] = weights[-1] = 0.0
    found = highlighted(NOTE, ids, weights, tokenizer)
    assert sum(weight for _, weight in found) == pytest.approx(sum(weights))


@pytest.mark.parametrize("truncation", ["head", "head+tail"])
def test_what_was_not_read_is_marked_and_not_shown(tokenizer: Any, truncation: str) -> None:
    found = pieces(NOTE, tokenizer, tokens=20, truncation=truncation)
    text = "".join(piece for piece, _ in found)
    assert text.count(CUT) == 1
    assert text.startswith("Scar")
    assert text.endswith("massa." if truncation == "head+tail" else CUT)


def test_a_head_and_a_tail_are_found_again() -> None:
    assert kept_places([0, 5, 6, 7, 8, 2], [0, 5, 8, 2]) == [0, 1, 4, 5]
    assert kept_places([0, 5, 5, 5, 2], [0, 5, 5, 2]) == [0, 1, 2, 4]
    assert kept_places([0, 5, 2], [0, 5, 2]) == [0, 1, 2]
