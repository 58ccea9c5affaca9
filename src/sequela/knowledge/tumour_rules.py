"""Histology, size and grade of a tumour, as reports and their scanners write them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sequela.knowledge.candidates import Candidate

_NUMBER = r"\d{1,2}(?:[.,]\d{1,2})?"
_UNIT = r"(?P<unit>cms?|em|crn|mm|centimet\w+)\b"
_SIZES = rf"(?P<sizes>{_NUMBER}(?:\s?(?:x|X|by|×)\s?{_NUMBER}){{0,2}})\s?{_UNIT}"
_SIZE_PATTERNS = tuple(
    re.compile(pattern + r"[^.;\d]{0,40}?" + _SIZES, re.IGNORECASE)
    for pattern in (
        r"(?:tumou?r size|size of (?:the )?(?:tumou?r|neoplasm|carcinoma))",
        r"(?:greatest|maximum|maximal|largest) (?:diameter|dimension)(?: of the \w+)?",
        r"(?:tumou?r|carcinoma|neoplasm|mass)\b",
    )
)
_GRADE = (
    r"(?P<grade>[1-4]|I[VI]{0,2}|[IVl1|]{1,3}(?=\s?/))"
    r"(?:\s?(?:/|of|out of)\s?(?:[34]|III|IV|I11))?(?![a-zA-Z0-9])"
)
_GRADE_PATTERNS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"(?:fuhrman|figo|nottingham|histologic(?:al)?|tumou?r|bloom|overall|who|isup)[^.;]{{0,40}}?grade[^.;\d]{{0,20}}?{_GRADE}",
        rf"grade[\s:=\-]{{0,4}}(?:is\s)?{_GRADE}",
    )
)
_DIFFERENTIATION = {
    "well": "1",
    "moderately": "2",
    "moderate": "2",
    "poorly": "3",
    "poor": "3",
}
_DIFFERENTIATED = re.compile(
    r"\b(?P<degree>well|moderate(?:ly)?|poor(?:ly)?)[\s-]{1,3}differentiat", re.IGNORECASE
)
_HIGH_LOW = re.compile(r"\b(?P<level>high|low)[\s-]?grade\b", re.IGNORECASE)
_ROMAN = {"I": "1", "II": "2", "III": "3", "IV": "4"}


def size(text: str) -> Iterator[Candidate]:
    """The greatest dimension of the tumour in centimetres."""
    for rank, pattern in enumerate(_SIZE_PATTERNS):
        for match in pattern.finditer(text):
            numbers = re.findall(_NUMBER, match["sizes"])
            factor = 0.1 if match["unit"].lower() == "mm" else 1.0
            largest = max(float(number.replace(",", ".")) for number in numbers) * factor
            yield Candidate(f"{largest:g}", match.start(), match.end(), rank)


def grade(text: str) -> Iterator[Candidate]:
    """The grade: its number, else what differentiation stands for, else high or low."""
    for rank, pattern in enumerate(_GRADE_PATTERNS):
        for match in pattern.finditer(text):
            roman = re.sub(r"[l1|]", "I", match["grade"].upper().replace("L", "I"))
            value = match["grade"] if match["grade"].isdigit() else _ROMAN.get(roman, "")
            yield Candidate(value, match.start(), match.end(), rank)
    for match in _DIFFERENTIATED.finditer(text):
        yield Candidate(_DIFFERENTIATION[match["degree"].lower()], match.start(), match.end(), 2)
    for match in _HIGH_LOW.finditer(text):
        yield Candidate(match["level"].lower(), match.start(), match.end(), 3)
