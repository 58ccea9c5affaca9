"""Structured pathology reports as numbers that a linear model can read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from sequela.knowledge.schema import FIELDS, UNKNOWN, StructuredReport

Reports = Sequence[StructuredReport | None]
_NUMBERS = ("number", "count")


@dataclass(frozen=True)
class ReportNumber:
    """One number of a report.

    Attributes:
        field: Of the schema.
        level: 1 where the field has it, unknown among them; empty for the field's own number.
        centre: Mean among training patients who have it.
        scale: Their standard deviation.
    """

    field: str
    level: str
    centre: float = 0.0
    scale: float = 1.0

    @property
    def name(self) -> str:
        """What tables call it."""
        return f"{self.field}={self.level}" if self.level else self.field

    def of(self, report: StructuredReport | None) -> float:
        """The number of a report, scaled; one that is not said is the training mean."""
        value = UNKNOWN if report is None else report.value(self.field)
        if self.level:
            return (float(_coarse(self.field, value) == self.level) - self.centre) / self.scale
        if value == UNKNOWN:
            return 0.0
        return (float(np.log1p(float(value))) - self.centre) / self.scale


@dataclass(frozen=True)
class ReportScaler:
    """Report fields as numbers of mean 0 and deviation 1 among training patients.

    A level or its absence that fewer than `least` training patients show is left out: its weight
    would be theirs alone. That a report does not say a field is a level of its own, for who writes
    what is no accident. T, N, M and stage lose their letters; sizes and counts are logged.

    Attributes:
        numbers: Which are read.
    """

    numbers: tuple[ReportNumber, ...]

    @classmethod
    def fit(cls, reports: Reports, least: int = 10) -> ReportScaler:
        """The numbers of training patients' reports; None is a patient without one.

        Args:
            reports: One a training patient.
            least: Training patients who must show a level, and who must not.
        """
        found = [one for field in FIELDS for one in _candidates(field, reports, least)]
        return cls(tuple(_scaled(one, reports) for one in found))

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the numbers, in their order."""
        return tuple(number.name for number in self.numbers)

    def transform(self, reports: Reports) -> Float[np.ndarray, "patient feature"]:
        """The numbers of these reports."""
        rows = [[number.of(report) for number in self.numbers] for report in reports]
        return np.array(rows, dtype=np.float64).reshape(len(reports), len(self.numbers))

    def state(self) -> dict[str, Any]:
        """What `from_state` needs, as JSON holds it."""
        return asdict(self)

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> ReportScaler:
        """The scaler whose `state()` this is."""
        return cls(tuple(ReportNumber(**number) for number in state["numbers"]))


def _candidates(field: str, reports: Reports, least: int) -> list[ReportNumber]:
    values = [UNKNOWN if report is None else report.value(field) for report in reports]
    count = Counter(_coarse(field, value) for value in values)
    if FIELDS[field].kind == "words":
        return []
    if FIELDS[field].kind in _NUMBERS:
        said = len(values) - count[UNKNOWN]
        count = Counter({UNKNOWN: count[UNKNOWN]})
        own = [ReportNumber(field, "")] if said >= least else []
    else:
        own = []
    often = [level for level in sorted(count) if least <= count[level] <= len(values) - least]
    return own + [ReportNumber(field, level) for level in often]


def _scaled(number: ReportNumber, reports: Reports) -> ReportNumber:
    said = [
        report
        for report in reports
        if number.level or (report is not None and report.value(number.field) != UNKNOWN)
    ]
    values = np.array([number.of(report) for report in said])
    spread = float(values.std())
    scale = spread if spread > 0 else 1.0
    return ReportNumber(number.field, number.level, float(values.mean()), scale)


def _coarse(field: str, value: str) -> str:
    """T1a is T1, IIIB is III."""
    if value == UNKNOWN:
        return value
    if field == "stage":
        return value.rstrip("ABC123") or value
    return value[:2] if field in ("pT", "pN", "pM") else value
