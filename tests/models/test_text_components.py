from __future__ import annotations

import json

import numpy as np

from sequela.models.text_components import TextComponents

TEXTS = [
    *["a new mass in the left breast, suspicious"] * 15,
    *["no mass, stable scar in the right breast"] * 15,
    *["stable scar, suspicious calcifications"] * 15,
    "",
]


def fitted() -> TextComponents:
    components = TextComponents.fit(TEXTS, 30)
    assert components is not None
    return components


def test_components_have_deviation_one_and_tell_texts_apart() -> None:
    numbers = fitted().transform(TEXTS)
    assert numbers.shape == (46, 4), "three different texts, and whether one is empty"
    np.testing.assert_allclose(numbers[:45, :3].std(axis=0), 1.0)
    assert np.abs(numbers[0, :3] - numbers[20, :3]).max() > 0.5
    np.testing.assert_array_equal(numbers[:45, -1], 0)
    assert numbers[-1].tolist() == [0, 0, 0, 1]


def test_words_of_other_texts_alone_say_nothing() -> None:
    components = fitted()
    assert not components.transform(["volstrekt onbekend"])[0].any()
    assert "volstrekt" not in components.words


def test_components_come_back_from_json() -> None:
    components = fitted()
    again = TextComponents.from_state(json.loads(json.dumps(components.state())))
    assert again == components
    np.testing.assert_array_equal(again.transform(TEXTS), components.transform(TEXTS))


def test_texts_without_a_shared_word_have_no_components() -> None:
    assert TextComponents.fit(["one", "two", ""], 3) is None
    assert TextComponents.fit([], 3) is None
