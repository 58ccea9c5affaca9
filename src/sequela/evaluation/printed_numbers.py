"""Numbers as a paper prints them: each stands for all that would round to it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from math import inf, isclose

_DIGITS = r"\d{1,3}(?:,\d{3}){2,}|(?:\d{1,3}(?:[ \u00a0\u202f]\d{3})+|\d+)(?:[.,]\d+)?|[.,]\d+"
_POWER = r"\s*(?:[eE]|[×xX*·]\s*10\s*\^?)\s*\{?\s*[-−–]?\s*\+?\d+\s*\}?"
_NUMBER = rf"[-−]?(?:{_DIGITS})(?:{_POWER})?\s*%?"
_INTERVAL = re.compile(
    rf"[(\[]\s*(?:\d+\s*%\s*CI\s*[:,;]?\s*)?({_NUMBER})\s*(?:-|–|—|−|to|,|;)\s*({_NUMBER})\s*[)\]]",
    re.IGNORECASE,
)
_SIDE = {"<": -1, "≤": -1, ">": 1, "≥": 1}
_SLACK = 1e-9  # of floating point


@dataclass(frozen=True)
class Span:
    """All numbers that a printed one can stand for, ends included."""

    low: float
    high: float

    def meets(self, other: Span) -> bool:
        """Whether some number is in both."""
        return _at_most(self.low, other.high) and _at_most(other.low, self.high)

    def within(self, low: float, high: float) -> bool:
        """Whether some number of it is at least `low` and at most `high`."""
        return self.meets(Span(low, high))

    def joined(self, other: Span) -> Span:
        """The numbers that are in both; `meets` must hold."""
        low, high = max(self.low, other.low), min(self.high, other.high)
        return Span(min(low, high), max(low, high))

    def __str__(self) -> str:
        if self.low == self.high:
            return f"{self.low:.4g}"
        return f"{self.low:.4g} to {self.high:.4g}"


def _at_most(first: float, second: float) -> bool:
    return first <= second or isclose(first, second, rel_tol=_SLACK)


def reach(function: Callable[..., float], *spans: Span) -> Span:
    """What a function can give that rises or falls throughout in each of its arguments."""
    values = [function(*ends) for ends in product(*((span.low, span.high) for span in spans))]
    return Span(min(values), max(values))


@dataclass(frozen=True)
class Printed:
    """A cell: a number, and its interval where the cell has one.

    Attributes:
        text: The cell as it stands.
        value: What the number can stand for.
        limits: Both ends of its interval.
    """

    text: str
    value: Span
    limits: tuple[Span, Span] | None = None


def read_cell(text: str, *, count: bool = False) -> Printed | None:
    """The number in a cell: `0.702* (0.630–0.777)`, `1.24×10^{-5}`, `< 0.001`, `61.1 %`.

    Args:
        text: The cell.
        count: Whether it counts something, so that a comma parts thousands.

    Returns:
        None where there is no number.
    """
    found = _INTERVAL.search(text)
    rest = text[: found.start()] + text[found.end() :] if found else text
    number = re.search(_NUMBER, rest)
    if number is None:
        return None
    value = _span(number[0], count=count)
    before = rest[: number.start()].rstrip("=").rstrip()
    side = _SIDE.get(before[-1:], 0)
    middle = (value.low + value.high) / 2  # a bound is not rounded
    if side < 0:
        value = Span(min(0.0, middle), middle)
    if side > 0:
        value = Span(middle, inf)
    limits = (_span(found[1], count=count), _span(found[2], count=count)) if found else None
    return Printed(text.strip(), value, limits)


def _span(text: str, *, count: bool) -> Span:
    """The printed number with half a unit of its last digit to either side; of a count, none."""
    plain = re.sub(r"[\s{}^%]", "", text).replace("−", "-").replace("–", "-")
    plain = plain.replace(",", "" if count or plain.count(",") > 1 else ".")
    # Powers beyond floating point are no numbers of a results table; they stay large, or small.
    digits, _, power = re.sub(r"[×xX*·]10|[eE]", "e", plain).partition("e")
    decimals = len(digits.partition(".")[2])
    scale = 10.0 ** max(min(int(power or 0), 300), -300) * (0.01 if "%" in text else 1.0)
    half = 0.0 if count else 0.5 * 10.0**-decimals
    return Span((float(digits) - half) * scale, (float(digits) + half) * scale)
