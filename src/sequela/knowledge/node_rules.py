"""How many lymph nodes were examined, and how many hold a metastasis."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from sequela.knowledge.candidates import Candidate

_UNITS = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen"
_WORDS = {
    word: number
    for number, word in enumerate(
        f"{_UNITS} fifteen sixteen seventeen eighteen nineteen twenty".split()
    )
}
_TENS = {"twenty": 20, "thirty": 30, "forty": 40}
_COUNT = (
    r"(?:\d{1,3}|(?:(?:twenty|thirty|forty)[\s-](?:one|two|three|four|five|six|seven|eight|nine))"
    rf"|thirty|forty|none|{'|'.join(sorted(_WORDS, key=len, reverse=True))})"
)
_RATIO = rf"(?P<positive>{_COUNT})\s?(?:/|(?:out\s)?of)\s?(?:the\s)?(?P<examined>{_COUNT})"
_RATIO_TOO = _RATIO.replace("P<positive>", "P<positive_too>").replace(
    "P<examined>", "P<examined_too>"
)
_TOTAL = re.compile(
    rf"total[^.;:]{{0,20}}nodes?[^.;]{{0,20}}?{_RATIO}(?![\d.])|lymph nodes?\s?:\s?{_RATIO_TOO}",
    re.IGNORECASE,
)
_NEAR = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"(?<![\d/.])\(?{_RATIO}(?!\s?[./]?\d)\)?[^.;\d]{{0,40}}?\bnodes?\b",
        rf"\bnodes?\b[^.;\d]{{0,70}}?(?<![\d/.]){_RATIO}(?!\s?[./]?\d)(?!\s?[cm]m)",
        rf"\bpN[0-3OxX][a-c]?\W{{0,3}}(?<![\d.]){_RATIO}(?!\s?[./]?\d)",
    )
)
_EXAMINED = re.compile(
    rf"(?:(?:total\s)?(?:number|#)\s(?:of\s)?(?:\w+\s){{0,3}}?(?:nodes?\s)?(?:examined|identified|sampled|resected|found)"
    rf"|(?:lymph\s)?nodes?\s(?:examined|sampled|identified))\s?[:=\-]\s?(?P<count>{_COUNT})(?![\d./])",
    re.IGNORECASE,
)
_POSITIVE = re.compile(
    r"(?:(?:total\s)?(?:number|#)\s(?:of\s)?(?:\w+\s){0,3}?(?:nodes?\s)?"
    r"(?:involved|positive|with metasta\w+)"
    r"|(?:positive|involved)\s(?:lymph\s)?nodes?|nodes?\s(?:involved|positive))"
    rf"\s?[:=\-]\s?(?P<count>{_COUNT})(?![\d./])",
    re.IGNORECASE,
)
_ALL_CLEAR = re.compile(
    rf"(?<![\d/.-])\b(?P<count>{_COUNT})\s(?:benign\s|reactive\s|regional\s|\w+\s)?(?:lymph\s)?nodes?,?\s"
    r"(?:(?:are|is|with|all|and)\s|-\s?)?"
    r"(?:negative|free|no (?:evidence|tumou?r|metasta|malig)|without)",
    re.IGNORECASE,
)


def examined(text: str) -> Iterator[Candidate]:
    """Lymph nodes examined: a stated total, else the only count there is."""
    yield from _labelled(text, _EXAMINED)
    ratios = list(_ratios(text, "examined"))
    yield from ratios or _clear(text, positive=False)


def positive(text: str) -> Iterator[Candidate]:
    """Lymph nodes with a metastasis: a stated total, else the only count there is."""
    yield from _labelled(text, _POSITIVE)
    yield from _ratios(text, "positive")
    yield from _clear(text, positive=True)


def only(candidates: Sequence[Candidate]) -> Candidate | None:
    """The one value that all say; several stations without a total stay unknown."""
    return candidates[0] if len({each.value for each in candidates}) == 1 else None


def _labelled(text: str, pattern: re.Pattern[str]) -> Iterator[Candidate]:
    for match in pattern.finditer(text):
        yield Candidate(_number(match["count"]), match.start(), match.end(), 0)


def _ratios(text: str, name: str) -> Iterator[Candidate]:
    """Totals, and counts of stations; those of several stations only where all hold none."""
    for match in _TOTAL.finditer(text):
        count = match[name] or match[f"{name}_too"]
        yield Candidate(_number(count), match.start(), match.end(), 0)
    matches = [match for pattern in _NEAR for match in pattern.finditer(text)]
    pairs = {(int(_number(each["positive"])), int(_number(each["examined"]))) for each in matches}
    pairs = {pair for pair in pairs if pair[0] <= pair[1]}
    if len(pairs) == 1 or (name == "positive" and not any(pair[0] for pair in pairs)):
        for match in matches:
            yield Candidate(_number(match[name]), match.start(), match.end(), 1)


def _clear(text: str, *, positive: bool) -> Iterator[Candidate]:
    for match in _ALL_CLEAR.finditer(text):
        value = "0" if positive else _number(match["count"])
        yield Candidate(value, match.start(), match.end(), 2)


def _number(words: str) -> str:
    words = words.lower()
    if words.isdecimal():
        return str(int(words))
    tens, _, unit = words.replace("-", " ").partition(" ")
    return str(_TENS.get(tens, 0) * bool(unit or tens not in _WORDS) + _WORDS.get(unit or tens, 0))
