"""Words that several patients' notes hold; the others may be a name: no vocabulary has them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Set

LEAST = 5
"""Patients whose notes must hold a word before a tokenizer or a baseline may keep it."""

_WORD = re.compile(r"\w+")


def shared_words(texts: Iterable[tuple[str, str]], least: int = LEAST) -> frozenset[str]:
    """The words, in small letters, that the texts of so many patients hold.

    Args:
        texts: Pairs of a patient and a text.
        least: How many patients.
    """
    holders: dict[str, set[str]] = defaultdict(set)
    for patient, text in texts:
        for word in set(_WORD.findall(text.lower())):
            if len(holders[word]) < least:
                holders[word].add(patient)
    return frozenset(word for word, patients in holders.items() if len(patients) >= least)


def only_words(text: str, words: Set[str]) -> str:
    """The text without any other word."""
    return _WORD.sub(lambda match: match[0] if match[0].lower() in words else "", text)
