from __future__ import annotations

from sequela.modalities.shared_words import LEAST, only_words, shared_words


def test_a_word_of_few_patients_is_not_kept_however_often_they_have_it() -> None:
    texts = [(f"p{number}", "A mass of 3.5 cm.") for number in range(LEAST)]
    texts += [("p1", "Mrs. Roe^Jane called +31-20-5550147.")] * 9
    words = shared_words(texts)
    assert words == {"a", "mass", "of", "3", "5", "cm"}
    assert only_words("A MASS of Jane Roe: 3.5 cm", words) == "A MASS of  : 3.5 cm"


def test_one_patient_fewer_is_too_few() -> None:
    assert shared_words([(f"p{number}", "rare") for number in range(LEAST - 1)]) == frozenset()
