"""Whether a report affirms or denies what it mentions."""

from __future__ import annotations

import re
from typing import Literal

Statement = Literal["present", "absent"]

_REACH = 70
_OPEN = re.compile(
    r"\b(?:indeterminate|can\s?not|equivocal|suspicious|suggestive|question\w*|possible|probable"
    r"|unknown|n/a"
    r"|not (?:assess|applic|evalua|report|specif|stated|determin|submitt|resect|receiv)\w*"
    r"|to be (?:assess|determin)\w*|see\b)",
    re.IGNORECASE,
)
_DENIED = re.compile(
    r"\b(?:not?|none|absent|negative|without|free|unidentified|lack\w*|uninvolved|nol|nat"
    r"|n[o0]t? (?:evidence|definite|identified|seen|present|found))\b",
    re.IGNORECASE,
)
_AFFIRMED = re.compile(
    r"\b(?:present|identified|seen|yes|positive|found|noted|extensive|extensively|focal|focally|scattered"
    r"|prominent|multifocal|marked|massive|involved|involving|minimal|moderate|severe|\d{1,3}\s?%)",
    re.IGNORECASE,
)
_DENIED_BEFORE = re.compile(
    r"\b(?:no|not|without|negative for|free of|absence of|lack of|nor|never|neither)\b"
    r"(?!.*\b(?:but|except|although|however|with|positive)\b)",
    re.IGNORECASE | re.DOTALL,
)
_AFFIRMED_BEFORE = re.compile(
    r"\b(?:with|there (?:is|are)|shows?|showing|extensive|focal|positive for|prominent|foci of"
    r"|massive|marked|evidence of|areas? of|identified|demonstrat\w+|patchy|central|contains?"
    r"|exhibit\w*|multifocal|and)\s[\w\s,\-()]*$",
    re.IGNORECASE,
)


def said(text: str, start: int, end: int) -> tuple[Statement, int, int] | None:
    """What is said of the words at `start` to `end`, and the span that says it.

    A value after a colon comes first, then a denial before the words in their clause, then the
    nearest word after them, then an affirmation before them. A mention alone says nothing.
    """
    before, after = clause_before(text, start), clause_after(text, end)
    label = re.match(r"[\w\s()/\-]{0,25}[:=]", after)
    if not label and _DENIED_BEFORE.search(before):
        return "absent", start - _width(before, _DENIED_BEFORE), end
    status = _first(after[label.end() :] if label else after)
    if status is not None:
        word, reach = status
        reach += label.end() if label else 0
        return (word, start, end + reach) if word else None
    if not label and _AFFIRMED_BEFORE.search(before):
        return "present", start - _width(before, _AFFIRMED_BEFORE), end
    return None


def clause_before(text: str, start: int) -> str:
    """The words of the same clause before a place."""
    return re.split(r"[.;:•]", text[max(0, start - _REACH) : start])[-1]


def clause_after(text: str, end: int) -> str:
    """The words of the same clause after a place, up to the next label."""
    words = re.split(r"[.;•](?!\d)", text[end : end + _REACH])[0]
    another = re.search(r"\n\s*[A-Z][\w\s()/,\-]{3,40}:", words)
    return words[: another.start()] if another else words


def _first(words: str) -> tuple[Statement | None, int] | None:
    """The first status word and where it ends; no statement where it leaves the matter open."""
    open_word, denied, affirmed = (each.search(words) for each in (_OPEN, _DENIED, _AFFIRMED))
    seen = [each for each in (open_word, denied, affirmed) if each]
    if not seen:
        return None
    first = min(seen, key=lambda each: each.start())
    if first is open_word:
        return None, first.end()
    return ("absent" if first is denied else "present"), first.end()


def _width(before: str, pattern: re.Pattern[str]) -> int:
    match = pattern.search(before)
    return len(before) - match.start() if match else 0
