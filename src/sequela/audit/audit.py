"""The whole audit of a cohort: every finding, and the numbers behind them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sequela.audit.findings import OUTCOME_DEPENDENT_SAMPLING, finding, softened
from sequela.audit.labels import Labelled, label_cases
from sequela.audit.predictability import CrossValidatedAuc
from sequela.audit.timing import judge_timing
from sequela.cohort.cohort import Cohort, read_cohort
from sequela.cohort.findings import Finding, errors
from sequela.cohort.manifest import FILE_NAME
from sequela.cohort.selection import ProtocolSettings, select_cases
from sequela.errors import DataError, UndefinedMetricError

Measured = dict[str, CrossValidatedAuc]


@dataclass(frozen=True)
class Audit:
    """What an audit found.

    Attributes:
        findings: Leaks are errors, doubts are warnings.
        measured: How well each thing that should not tell the event tells it, by cross-validation;
            those that raised no finding too.
        protocol: Under which cases were chosen.
    """

    findings: tuple[Finding, ...]
    measured: Measured
    protocol: ProtocolSettings

    @property
    def leaks(self) -> int:
        """How many findings say that the outcome reaches the inputs."""
        return len(errors(self.findings))

    def as_json(self) -> dict[str, Any]:
        """What `--json` prints and WORK/audit.json holds."""
        return {
            "findings": [item.as_json() for item in self.findings],
            "leaks": self.leaks,
            "warnings": len(self.findings) - self.leaks,
            "measured": {name: auc.as_json() for name, auc in self.measured.items()},
            "protocol": self.protocol.model_dump(mode="json"),
        }

    def in_words(self) -> dict[str, str]:
        """What was measured, for a terminal."""
        return {name: f"AUC {auc}" for name, auc in self.measured.items()}


def audit_cohort(
    folder: Path,
    protocol: ProtocolSettings,
    *,
    work: Path | None = None,
    accept_biased_design: bool = False,
) -> Audit:
    """Look for what makes a cohort's numbers better than they are.

    Args:
        folder: A cohort folder that `check` finds no error in.
        protocol: Under which its cases are chosen.
        work: Where the split and the prepared images are, if there are any yet.
        accept_biased_design: Whether outcome-dependent sampling is known and meant; it is then a
            warning.

    Raises:
        DataError: If the cohort cannot be read, or has no outcome.
    """
    cohort = read_cohort(folder)
    if not cohort.manifest.endpoints:
        raise DataError(
            "the cohort has no endpoint, so nothing can be said of what tells it",
            hint="name endpoints and the table outcomes in the manifest",
        )
    measured: Measured = {}
    found = list(_predictions(cohort, protocol, measured))
    if accept_biased_design:
        found = [
            softened(item) if item.code == OUTCOME_DEPENDENT_SAMPLING else item for item in found
        ]
    return Audit(tuple(found), measured, protocol)


def _predictions(
    cohort: Cohort, protocol: ProtocolSettings, measured: Measured
) -> Iterator[Finding]:
    """What tells the label and should not."""
    try:
        labelled = label_cases(cohort, select_cases(cohort, protocol))
        yield from _timing(cohort, labelled, protocol, measured)
    except UndefinedMetricError as error:
        mend = error.hint or "gather more patients, or choose an endpoint with more events"
        yield finding("A002", FILE_NAME, reason=error.message, mend=mend)


def _timing(
    cohort: Cohort, labelled: Labelled, protocol: ProtocolSettings, measured: Measured
) -> Iterator[Finding]:
    timing = judge_timing(cohort, labelled)
    if timing is None:
        return
    with_age = timing.with_age
    measured["timing"] = timing.design
    if with_age:
        measured["timing and age"] = with_age
    if timing.outcome_dependent:
        yield finding(
            OUTCOME_DEPENDENT_SAMPLING,
            cohort.manifest.tables["exams" if "exams" in cohort.manifest.tables else "texts"].file,
            protocol=protocol.name,
            evidence=timing.design,
            with_age=f"; with age {with_age}" if with_age else "",
        )
