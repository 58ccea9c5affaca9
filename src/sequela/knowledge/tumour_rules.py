"""Histology, size and grade of a tumour, as reports and their scanners write them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from sequela.knowledge.candidates import Candidate

_NUMBER = r"\d{1,2}(?:[.,]\d{1,2})?"
_UNIT = r"(?P<unit>cms?|em|crn|mm|centimet\w+)\b"
_SIZES = rf"(?P<sizes>{_NUMBER}(?:\s?(?:x|X|by|×)\s?{_NUMBER}){{0,2}})\s?{_UNIT}"
_SIZES_TOO = _SIZES.replace("?P<sizes>", "?P<sizes_too>").replace("?P<unit>", "?P<unit_too>")
_TUMOUR = r"(?:tumou?r|carcinoma|neoplasm|mass)\b"
_MOST = r"(?:greatest|maximum|maximal|largest)\s(?:diameter|dimension)"
_AWAY = r"(?:(?!\b(?:from|away|within|resid|margin|distance|focus|foci))[^.;\d]){0,40}?"
_SIZE_PATTERNS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"(?:tumou?r size|size of (?:the )?{_TUMOUR})[^.;\d]{{0,40}}?{_SIZES}"
        rf"|tumou?r size \((?P<unit_first>cm|mm)\)\W{{1,3}}(?P<size_first>{_NUMBER})",
        rf"{_TUMOUR}[^;]{{0,180}}?{_SIZES}\s(?:in\s)?(?:the\s)?{_MOST}|{_MOST}{_AWAY}{_SIZES_TOO}",
        rf"{_TUMOUR}{_AWAY}{_SIZES}",
    )
)
_FAR = 3.0
_SCHEME = (
    r"(?:fuhrman\w*|fuhnnan|figo|nottingham|histo\w*|tumou?r|bloom|sbr|overall|who|isup|combined)"
)
_SAYS = (
    r"(?:\s?\(if applicable\))?[\s:=.,~)\-]{0,5}(?:\(fuh[^)]{0,20}\)[\s:=\-]{0,4})?"
    r"(?:is|of|was)?\s?G?"
)
# `/` is often scanned as 1, l, t or I: 214 is 2/4, IIIIIV is III/IV.
_GRADE = (
    r"(?:(?P<number>[1-4])(?:\s?(?:/|[1tlI|](?=[34]))\s?[34])?"
    r"|(?P<scanned>[Il1|]{1,3})[I/l1|\s]{1,3}[Il1|]?V"
    r"|(?P<roman>IV|[Il|]{1,3}|[Il1|]{2,3})(?:\s?(?:/|of|out of)\s?[1-4IlV|]{1,3})?)"
    r"(?![a-zA-Z0-9])(?!\s?[-~.·–]\s?[\dI]|\s?[!'\\|U]|\sI)"
)
_GRADE_TOO = re.sub(r"\?P<\w+>", "", _GRADE.replace("(?:(?P<number>", "(?:("))
_GRADE_PATTERNS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"{_SCHEME}[^.;]{{0,40}}?grad(?:e|ing|~|\.)*{_SAYS}{_GRADE}",
        rf"grad(?:e|ing|~)(?!s)[\s:=.\-]{{0,4}}(?:is\s|of\s)?G?{_GRADE}",
        rf"\(G\s?{_GRADE}\)|\bG\s?{_GRADE_TOO}(?=[,;\s]{{1,3}}p?T)",
    )
)
_RANGE = re.compile(
    r"grade\s(?!1\s?-\s?[34])(?:[1-4]|I[IV]{0,2})\s?(?:(?:to|-|and|,? focally)\s?(?:grade\s)?"
    r"|(?:/4|of\s(?:4|IV))?[^.;]{0,20}focal[^.;]{0,45}grade\s(?:is\s)?)"
    r"(?P<number>[1-4]|I[IV]{0,2})(?![a-zA-Z0-9])",
    re.IGNORECASE,
)
_DIFFERENTIATION = {
    "well": "1",
    "moderately": "2",
    "moderate": "2",
    "poorly": "3",
    "poor": "3",
}
_DIFFERENTIATED = re.compile(
    r"\b(?P<degree>well|moderate(?:ly)?|poor(?:ly)?)[\s-]{1,3}differentiat(?!\w*\s\w*liposarcoma)",
    re.IGNORECASE,
)
_HIGH_LOW = re.compile(
    r"\b(?P<level>high|low)[\s-]?grade\b(?=[^.;]{0,40}(?:carcinoma|tumou?r|sarcoma|glioma))"
    r"|(?:carcinoma|tumou?r|sarcoma|glioma)[^.;]{0,30}\b(?P<after>high|low)[\s-]?grade\b",
    re.IGNORECASE,
)
_ROMAN = {"I": "1", "II": "2", "III": "3", "IV": "4"}


def size(text: str) -> Iterator[Candidate]:
    """The greatest dimension of the tumour in centimetres.

    Nothing where what is called the size is far larger than every greatest diameter told elsewhere.
    """
    found = list(_sizes(text))
    called = [each for each in found if each.rank == 0]
    others = [each for each in found if each.rank == 1 and all(_apart(each, one) for one in called)]
    if called and others and _largest(called) > _FAR * _largest(others):
        return
    yield from found


def _apart(one: Candidate, other: Candidate) -> bool:
    return one.end <= other.start or other.end <= one.start


def _largest(candidates: Sequence[Candidate]) -> float:
    return max(float(each.value) for each in candidates)


def _sizes(text: str) -> Iterator[Candidate]:
    for rank, pattern in enumerate(_SIZE_PATTERNS):
        for match in pattern.finditer(text):
            found = {name[:4]: words for name, words in match.groupdict().items() if words}
            numbers = re.findall(_NUMBER, found["size"])
            factor = 0.1 if found["unit"].lower() == "mm" else 1.0
            largest = max(float(number.replace(",", ".")) for number in numbers) * factor
            yield Candidate(f"{largest:g}", match.start(), match.end(), rank)


def grade(text: str) -> Iterator[Candidate]:
    """The grade: its number, else what differentiation stands for, else high or low."""
    for match in _RANGE.finditer(text):
        yield Candidate(_arabic(match["number"]), match.start(), match.end(), 0)
    for rank, pattern in enumerate(_GRADE_PATTERNS):
        for match in pattern.finditer(text):
            read = next(word for word in match.groups() if word)
            yield Candidate(_arabic(read), match.start(), match.end(), rank + 1)
    for match in _DIFFERENTIATED.finditer(text):
        yield Candidate(_DIFFERENTIATION[match["degree"].lower()], match.start(), match.end(), 4)
    for match in _HIGH_LOW.finditer(text):
        level = match["level"] or match["after"]
        yield Candidate(level.lower(), match.start(), match.end(), 5)


def _arabic(grade: str) -> str:
    """A grade as one digit; an empty text where it is none."""
    if grade.isdecimal() and len(grade) == 1:
        return grade
    return _ROMAN.get(re.sub(r"[l1|]", "I", grade.replace("L", "I")).upper().replace("L", "I"), "")
