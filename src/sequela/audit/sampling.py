"""What an evaluation must know of the design: whether the outcome decided who was seen when."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sequela.audit.labels import label_cases
from sequela.audit.timing import LIMIT, design_alone
from sequela.cohort.cohort import Cohort
from sequela.cohort.protocol import ProtocolSettings
from sequela.cohort.selection import select_cases
from sequela.errors import DataError, UndefinedMetricError

NOTHING_VARIES = "all patients are seen alike: there is no timing that could tell the outcome"


@dataclass(frozen=True)
class SamplingVerdict:
    """Whether when patients were seen tells the outcome.

    Attributes:
        outcome_dependent: None where it could not be judged.
        auc: Of timing alone, with its limits; None where it was not measured.
        reason: Why it was not.
    """

    outcome_dependent: bool | None
    auc: tuple[float, float, float] | None = None
    reason: str = ""

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        value, low, high = self.auc or (None, None, None)
        return {
            "outcome_dependent": self.outcome_dependent,
            "auc": value,
            "low": low,
            "high": high,
            "reason": self.reason,
        }


def sampling_verdict(cohort: Cohort, protocol: ProtocolSettings, work: Path) -> SamplingVerdict:
    """What `audit` found in this cohort under this protocol, or else what it would find.

    Only the timing detector is run where WORK/audit.json is of another cohort or protocol.
    """
    stored = _stored(work / "audit.json")
    asked = protocol.model_dump(mode="json")
    if stored.get("cohort") == cohort.fingerprint and stored.get("protocol") == asked:
        return _read(stored)
    try:
        found = design_alone(cohort, label_cases(cohort, select_cases(cohort, protocol)))
    except (DataError, UndefinedMetricError) as error:  # no case, or too few to judge by
        return SamplingVerdict(None, reason=error.message)
    if found is None:
        return SamplingVerdict(False, reason=NOTHING_VARIES)
    return SamplingVerdict(found.low > LIMIT, (found.value, found.low, found.high))


def _read(stored: Mapping[str, Any]) -> SamplingVerdict:
    timing = stored["measured"].get("timing")
    if timing is not None:
        limits = (timing["auc"], timing["low"], timing["high"])
        return SamplingVerdict(timing["low"] > LIMIT, limits)
    unjudged = [item["message"] for item in stored["findings"] if item["code"] == "A002"]
    if unjudged:
        return SamplingVerdict(None, reason=unjudged[0])
    return SamplingVerdict(False, reason=NOTHING_VARIES)


def _stored(path: Path) -> dict[str, Any]:
    """The last audit; nothing where there is none that can be read."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}
