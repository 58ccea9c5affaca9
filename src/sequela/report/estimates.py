"""Numbers of `evaluation.json` as a reader sees them: with an interval, or with the reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

NOT_COMPUTED = "it was not computed"
_NUMBERS = ("value", "low", "high", "p")


@dataclass(frozen=True)
class Estimate:
    """A number and its interval, or why it does not exist.

    Attributes:
        value: None where undefined.
        low: Lower end of the interval, None where there is none.
        high: Upper end of it.
        reason: Why the value, or the interval of a value, is undefined.
        p: A p-value that belongs to the number.
        level: Of the interval.
        marks: What must stand beside the number, as `outcome-dependent sampling`.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    reason: str = ""
    p: float | None = None
    level: float = 0.95
    marks: tuple[str, ...] = ()

    @classmethod
    def of(cls, node: Any, *, reason: str = "") -> Estimate:
        """The estimate in a part of the JSON: an object, a bare number, or nothing.

        Args:
            node: The part.
            reason: Why it is undefined, where the part does not say.

        Raises:
            TypeError: If the part is none of these.
        """
        match node:
            case None:
                return cls(None, reason=reason or NOT_COMPUTED)
            case bool() | int() | float():
                return cls(float(node))
            case Mapping():
                value, low, high, p = (_number(node.get(key)) for key in _NUMBERS)
                stated = str(node.get("reason") or "")
                if value is None:
                    stated = stated or reason or NOT_COMPUTED
                level, marks = float(node.get("level") or 0.95), tuple(node.get("marks") or ())
                return cls(value, low, high, stated, p, level, marks)
        raise TypeError(f"an estimate is an object or a number, found {type(node).__name__}")

    @property
    def defined(self) -> bool:
        """Whether there is a number."""
        return self.value is not None

    @property
    def has_interval(self) -> bool:
        """Whether both ends of the interval are known."""
        return self.low is not None and self.high is not None

    def text(self, style: str = "number", *, signed: bool = False) -> str:
        """Value and interval as prose prints them, as in `0.71 (95% CI 0.62 to 0.80)`."""
        if self.value is None:
            return f"undefined ({self.reason})"
        value = printed(self.value, style, signed=signed) + ("†" if self.marks else "")
        if self.low is None or self.high is None:
            return value
        low, high = (printed(end, style, signed=signed) for end in (self.low, self.high))
        return f"{value} ({self.level * 100:g}% CI {low} to {high})"


def _number(value: float | int | None) -> float | None:
    return None if value is None else float(value)


@dataclass
class Footnotes:
    """Reasons under a table, numbered as they are first met, each printed once."""

    name: str
    reasons: list[str] = field(default_factory=list)

    def number(self, reason: str) -> int:
        """The number of the note that states `reason`."""
        if reason not in self.reasons:
            self.reasons.append(reason)
        return self.reasons.index(reason) + 1


def printed(value: int | float, style: str = "number", *, signed: bool = False) -> str:
    """A number as text.

    Args:
        value: The number.
        style: `number` (three decimals), `ratio` (two), `percent`, `count` or `p`.
        signed: Whether a positive number shows its sign.
    """
    match style:
        case "p":
            return "< 0.001" if value < 0.001 else f"{value:.3f}"
        case "percent":
            text = f"{abs(value) * 100:.0f}%"
        case "count":
            text = f"{abs(value):,.0f}".replace(",", "\u202f")
        case "ratio":
            text = f"{abs(value):.2f}" if abs(value) < 1000 else f"{abs(value):.2g}"
        case _:
            text = f"{abs(value):.3f}"
    is_zero = not text.strip("0.%")
    if value < 0 and not is_zero:
        return f"−{text}"
    return f"+{text}" if signed and not is_zero else text
