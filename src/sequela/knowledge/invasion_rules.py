"""Vessels, nerves, necrosis and resection margins: what is affirmed, and what denied."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sequela.knowledge.candidates import Candidate
from sequela.knowledge.statements import clause_after, clause_before, said

_INVASION = r"(?:space\s)?(?:invasion|permeation|involvement|emboli|space invasion|tumou?r emboli)"
_VESSELS = re.compile(
    r"(?:lymph(?:atic|o|vascular|atics)?[\s\-/]*(?:and|or|/)?[\s\-/]*(?:\(\w+ vessels?\)\s?)?"
    r"(?:vascular|vessel|space|venous)*"
    r"|angio[\s-]?lymphatic|micro-?vascular|vascular|venous(?: \(large vessel\))?"
    r"|lymphatic(?: \(small vessel\))?|(?:large|small)[\s-]vessel)"
    rf"[\s\-/]{{0,3}}(?:\((?:large|small) vessel\)\s)?{_INVASION}"
    rf"|venous\s?/\s?lymphatic(?: \(large/small vessel\))?\s{_INVASION}"
    r"|(?:angio|lympho)[\s-]?\w+(?:, \w+)? and perineural invasion|\bLVS?I\b",
    re.IGNORECASE,
)
# As in pT2 pN1 L1 V0 R0: lymphatics, veins, residual tumour at the margin.
_CODES = re.compile(r"\bp?[TN][^.;\n]{1,25}?L\s?(?P<L>[01O])[,\s]*V\s?(?P<V>[01O])")
_RESIDUAL = re.compile(r"V\s?[01O][\s,.]*R\s?(?P<R>[01O])(?![a-z0-9])")
_NERVES = re.compile(
    r"(?:peri|intra)[\s-]?neural[\s-]{0,2}(?:invasion|involvement|infiltration)|\bPNI\b",
    re.IGNORECASE,
)
_NECROSIS = re.compile(
    r"(?<!fat )(?<!papillary )(?<!tubular )(?<!comedo)(?<!comedo )(?<!comedo-)"
    r"(?:\b(?:coagulative|tumou?r|confluent|geographic)[\s-]{1,2})*\bnecrosis\b",
    re.IGNORECASE,
)
_MARGIN = re.compile(
    r"\bmargins?\b|\bexcision lines?\b|\bline of resection\b|\bresection lines?\b", re.IGNORECASE
)
_CLEAR = re.compile(
    r"\b(?:un-?involved|not involved|free|negative|clear|no (?:\w+\s){0,3}(?:tumou?r|carcinoma"
    r"|malignan\w+|involvement|neoplas\w+)|without|tumou?r[\s-]free)\b",
    re.IGNORECASE,
)
_REACHED = re.compile(
    r"(?<!un)(?<!not )\b(?:involved by|positive(?! for benign)|is involved|are involved"
    r"|(?:tumou?r|carcinoma|neoplasm) (?:is )?(?:present|extends|seen|identified|transected))\b",
    re.IGNORECASE,
)
_REACHED_BEFORE = re.compile(
    r"\b(?:tumou?r|carcinoma|neoplasm|thrombus|disease) (?:\w+\s){0,3}?(?:present at|extends to"
    r"|involves|extending to|at|involving|transected at) (?:the )?(?:\w+\s){0,4}$",
    re.IGNORECASE,
)
_CLEAR_BEFORE = re.compile(
    r"\b(?:no|negative|free|without|clear)\b[\w\s,\-()]{0,50}$", re.IGNORECASE
)
_ALL = re.compile(r"\ball\b", re.IGNORECASE)
_ASKED = re.compile(r"\b(?:rule out|r/o|question|distance)\b", re.IGNORECASE)
_CLOSE = re.compile(r"\bclose\b(?!st)", re.IGNORECASE)


def vessel_invasion(text: str) -> Iterator[Candidate]:
    """Invasion of lymphatic or blood vessels under the microscope; not of the renal vein."""
    yield from _statements(text, _VESSELS)
    for match in _CODES.finditer(text):
        value = "present" if "1" in match["L"] + match["V"] else "absent"
        yield Candidate(value, match.start(), match.end(), 1)


def nerve_invasion(text: str) -> Iterator[Candidate]:
    """Perineural invasion."""
    return _statements(text, _NERVES)


def necrosis(text: str) -> Iterator[Candidate]:
    """Necrosis of the tumour; not of fat, and not the comedo kind."""
    return _statements(text, _NECROSIS)


def _statements(text: str, pattern: re.Pattern[str]) -> Iterator[Candidate]:
    for match in pattern.finditer(text):
        statement = said(text, match.start(), match.end())
        if statement:
            value, start, end = statement
            yield Candidate(value, start, end, 0 if ":" in text[match.end() : end] else 1)


def margins(text: str) -> Iterator[Candidate]:
    """Whether tumour reaches a resection margin; nothing where all are free and one is not."""
    found = list(_margins(text))
    free = [text[max(0, each.start - 15) : each.end] for each in found if each.value == "negative"]
    if any(map(_ALL.search, free)) and any(each.value == "positive" for each in found):
        return
    yield from found


def _margins(text: str) -> Iterator[Candidate]:
    for match in _RESIDUAL.finditer(text):
        yield Candidate("positive" if match["R"] == "1" else "negative", *match.span())
    for match in _MARGIN.finditer(text):
        before, after = clause_before(text, match.start()), clause_after(text, match.end())
        status = [
            (found.start(), value, found.end())
            for value, pattern in (("negative", _CLEAR), ("positive", _REACHED), ("close", _CLOSE))
            if (found := pattern.search(after))
        ]
        if _ASKED.search(before):
            continue
        if reached := _REACHED_BEFORE.search(before):
            denied = _CLEAR_BEFORE.search(before[: reached.end()])
            value = "negative" if denied else "positive"
            yield Candidate(value, match.start() - len(before) + reached.start(), match.end())
        elif status:
            _, value, end = min(status)
            yield Candidate(value, match.start(), match.end() + end)
        elif denied := _CLEAR_BEFORE.search(before):
            yield Candidate("negative", match.start() - len(before) + denied.start(), match.end())
