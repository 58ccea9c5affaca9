"""Whether the words that a model gives for a value stand in the report and say that value."""

from __future__ import annotations

import re

from sequela.knowledge.rules import RULES
from sequela.knowledge.schema import FIELDS, UNKNOWN, Evidence, Finding

MAXIMUM_QUOTE = 300
"""Characters; a longer quote is no evidence for one field."""
_CONTEXT = 60


def supported(field: str, value: str, quote: str, report: str) -> Finding:
    """The finding, or unknown where its evidence does not hold.

    The quote must stand in the report, but for case, blanks and line breaks, and the rules of the
    field must read the same value within it. So a model can choose between what a report says, and
    cannot add to it.

    Args:
        field: A name of the schema.
        value: What the model answered.
        quote: The words that it gave as evidence.
        report: What the model was shown: instructions and identifiers are blanked out.
    """
    if value == UNKNOWN or not 0 < len(quote.strip()) <= MAXIMUM_QUOTE:
        return Finding(field)
    if FIELDS[field].kind == "words":
        value = quote.strip()
    if not FIELDS[field].admits(value):
        return Finding(field)
    for start, end in _places(quote, report):
        if FIELDS[field].kind == "words" or _says(field, value, start, end, report):
            return Finding(field, value, Evidence(start, end, report[start:end]))
    return Finding(field)


def _places(quote: str, report: str) -> list[tuple[int, int]]:
    words = [re.escape(word) for word in quote.split()]
    return [match.span() for match in re.finditer(r"\s+".join(words), report, re.IGNORECASE)]


def _says(field: str, value: str, start: int, end: int, report: str) -> bool:
    """Whether the field's rules read that value in the quote, knowing what stands around it."""
    left = max(0, start - _CONTEXT)
    window = report[left : end + _CONTEXT]
    read, _ = RULES[field]
    return any(
        _same(field, value, seen.value) and seen.start + left < end and seen.end + left > start
        for seen in read(window)
    )


def _same(field: str, value: str, seen: str) -> bool:
    if FIELDS[field].kind == "number":
        return abs(float(value) - float(seen)) < 1e-9
    return value == seen
