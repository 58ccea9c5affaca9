"""Oestrogen and progesterone receptor and HER2."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sequela.knowledge.candidates import Candidate

_OESTROGEN = re.compile(r"\bo?estrogen(?:\sreceptors?)?\b|\bER\b(?!\s?=)")
_PROGESTERONE = re.compile(r"\bprogesterone(?:\sreceptors?)?\b|\bPR\b|\bPgR\b")
_HER2 = re.compile(r"\bher[\s-]?2(?:[\s/-]?neu)?\b|\bc-?erb-?b-?2\b", re.IGNORECASE)
_RESULT = re.compile(
    r"(?P<positive>\bpositiv\w+|\(\+\)|(?<!\w)3\s?\+|\bamplified|\boverexpress\w+|\b\d{2,3}\s?%)"
    r"|(?P<equivocal>\bequivocal|(?<!\w)2\s?\+|\bindeterminate)"
    r"|(?P<negative>\bnegativ\w+|\(-\)|\bnot? (?:amplif|overexpress|detect|express)\w+"
    r"|\bnon-?amplified|(?<!\w)[01]\s?\+|\b0\s?%|\bunamplified|\bno overexpression)",
    re.IGNORECASE,
)
_BEFORE = re.compile(r"\b(?P<value>positive|negative)(?: for)?\s$", re.IGNORECASE)
_ANOTHER = re.compile(r";|\n\s*\n|\b(?:ER|PR|PgR|Ki|estrogen|progesterone|her)\b", re.IGNORECASE)
_REACH = 60


def oestrogen_receptor(text: str) -> Iterator[Candidate]:
    """The oestrogen receptor's result."""
    return _results(text, _any_case(_OESTROGEN))


def progesterone_receptor(text: str) -> Iterator[Candidate]:
    """The progesterone receptor's result."""
    return _results(text, _any_case(_PROGESTERONE))


def her2(text: str) -> Iterator[Candidate]:
    """The result for HER2, by immunohistochemistry or in-situ hybridisation."""
    return _results(text, _HER2)


def _any_case(pattern: re.Pattern[str]) -> re.Pattern[str]:
    """Words in any case, abbreviations in capitals alone: `er` is no receptor."""
    words, _, abbreviations = pattern.pattern.partition("|")
    return re.compile(rf"(?i:{words})|{abbreviations}")


def _results(text: str, pattern: re.Pattern[str]) -> Iterator[Candidate]:
    for match in pattern.finditer(text):
        after = _ANOTHER.split(text[match.end() : match.end() + _REACH])[0]
        if before := _BEFORE.search(text[max(0, match.start() - 15) : match.start()]):
            start = match.start() - len(before[0])
            yield Candidate(before["value"].lower(), start, match.end())
            continue
        result = _RESULT.search(after)
        if result and result.lastgroup:
            # `not amplified` also holds `amplified`: the group that begins first has matched.
            yield Candidate(result.lastgroup, match.start(), match.end() + result.end())
