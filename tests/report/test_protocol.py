from __future__ import annotations

from typing import Any

import pytest

from sequela.report.protocol import protocol_in_words

SPLIT = {"test": 0.3, "validation": 0.2, "seed": 7, "folds": 1}


@pytest.mark.parametrize(
    ("split", "said", "unsaid"),
    [
        (SPLIT, "drawn once with seed 7: 30% of the patients were kept for the test.", "folds"),
        (
            {**SPLIT, "folds": 5, "group": "site"},
            "5 folds, no site in two of them, were drawn once with seed 7",
            "30%",
        ),
        ({**SPLIT, "file": "folds.csv"}, "as published (folds.csv)", "30%"),
        ({**SPLIT, "validation": 0}, "kept for the test. All exams", "validation"),
    ],
)
def test_the_division_is_told_as_it_was_made(split: dict[str, Any], said: str, unsaid: str) -> None:
    told = " ".join(protocol_in_words({"split": split}, {}, {}))
    assert said in told
    assert unsaid not in told
    assert "saw no test patient" in told
