"""A number with its interval, or the reason why it does not exist."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sequela.errors import UndefinedMetricError


@dataclass(frozen=True)
class Estimate:
    """A number, its interval and where the interval comes from; or why it is undefined.

    Attributes:
        value: The number, None where it is undefined.
        low: Lower confidence limit, None where there is none.
        high: Upper confidence limit.
        level: Of the interval.
        method: How the interval was made, as `patient bootstrap`.
        resamples: Resamples asked for, where it was a bootstrap.
        unused: Resamples in which the number was undefined.
        p: A p-value that belongs to the number.
        reason: Why the number, or its interval, is undefined.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    level: float | None = None
    method: str = ""
    resamples: int = 0
    unused: int = 0
    p: float | None = None
    reason: str = ""

    def as_json(self) -> dict[str, object]:
        """The estimate as it stands in `evaluation.json`."""
        return {
            "value": self.value,
            "low": self.low,
            "high": self.high,
            "level": self.level,
            "method": self.method,
            "resamples": self.resamples,
            "unused": self.unused,
            "p": self.p,
            "reason": self.reason,
        }


def undefined(reason: str) -> Estimate:
    """A number that does not exist, and why."""
    return Estimate(None, reason=reason)


def estimated(compute: Callable[[], Estimate]) -> Estimate:
    """What `compute` gives; where it is undefined, the reason instead."""
    try:
        return compute()
    except UndefinedMetricError as error:
        return undefined(error.message)
