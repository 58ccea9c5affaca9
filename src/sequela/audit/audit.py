"""The whole audit of a cohort: every finding, and the numbers behind them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sequela.audit.duplicates import image_findings, life_findings
from sequela.audit.endpoint_advice import advice_findings
from sequela.audit.findings import OUTCOME_DEPENDENT_SAMPLING, finding, softened
from sequela.audit.fitted_state import fitted_findings
from sequela.audit.label_sanity import (
    followup_findings,
    followup_profile,
    label_findings,
    profile_in_words,
)
from sequela.audit.labels import Labelled, label_cases
from sequela.audit.predictability import CrossValidatedAuc
from sequela.audit.shortcuts import judge_shortcuts, shortcuts, times_in_disguise
from sequela.audit.texts import text_findings
from sequela.audit.timing import LIMIT, judge_timing
from sequela.cohort.checks import checked_tables
from sequela.cohort.cohort import Cohort, read_cohort
from sequela.cohort.findings import Finding, errors
from sequela.cohort.manifest import FILE_NAME
from sequela.cohort.protocol import ProtocolSettings
from sequela.cohort.selection import select_cases
from sequela.cohort.split_files import read_table
from sequela.cohort.tables import Table
from sequela.errors import DataError, UndefinedMetricError

Measured = dict[str, CrossValidatedAuc]

_TIME_UNIT = "C036"
"""Of `check`: times that are not of the unit named, which is a sanity of labels too."""

_BOUNDS = {
    **dict.fromkeys(("A011", "A012", "A014"), (LIMIT, 0.75)),
    "A013": (LIMIT, 1.0),  # the order of rows reaches no model by itself
    "A015": (0.9, 0.9),
}
"""Lower bounds of a shortcut's AUC above which it is a doubt, and a leak: case mix stays below."""


@dataclass(frozen=True)
class Audit:
    """What an audit found.

    Attributes:
        findings: Leaks are errors, doubts are warnings.
        measured: How well each thing that should not tell the event tells it, by cross-validation;
            those that raised no finding too.
        protocol: Under which cases were chosen.
        cohort: Fingerprint of the cohort.
        profile: How many patients there are, what became of them, how long they were followed.
    """

    findings: tuple[Finding, ...]
    measured: Measured
    protocol: ProtocolSettings
    cohort: str
    profile: Mapping[str, object] = field(default_factory=dict)

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
            "cohort": self.cohort,
            "profile": dict(self.profile),
        }

    def in_words(self) -> dict[str, str]:
        """The follow-up and what was measured, for a terminal."""
        told = {name: f"AUC {auc}" for name, auc in self.measured.items()}
        return {"follow-up": profile_in_words(self.profile), **told} if self.profile else told


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
        DataError: If the cohort cannot be read, or has no such endpoint.
        LeakageError: If the split has one patient in two parts of a fold.
    """
    cohort = read_cohort(folder)
    if protocol.endpoint not in cohort.manifest.endpoints:
        has = ", ".join(cohort.manifest.endpoints) or "none"
        raise DataError(
            f"the cohort has no endpoint {protocol.endpoint}, it has {has}",
            hint="set protocol.endpoint to one of them, or name it in the manifest",
        )
    if work is not None and (work / "splits.csv").is_file():
        read_table(work / "splits.csv")
    tables, checked = checked_tables(cohort.folder, cohort.manifest)
    measured: Measured = {}
    found = [
        *(item for item in checked if item.code == _TIME_UNIT),
        *label_findings(cohort, protocol.endpoint),
        *life_findings(cohort, tables["patients"], work),
        *(image_findings(cohort, tables["images"], work) if "images" in tables else ()),
        *(fitted_findings(cohort, work) if work else ()),
        *advice_findings(cohort, tables["patients"], protocol.endpoint),
        *_predictions(cohort, tables, protocol, measured),
    ]
    for name, correlation in times_in_disguise(cohort, protocol.endpoint):
        file = cohort.manifest.tables["patients"].file
        found.append(finding("A016", file, column=name, correlation=correlation))
    if accept_biased_design:
        found = [
            softened(item) if item.code == OUTCOME_DEPENDENT_SAMPLING else item for item in found
        ]
    profile = followup_profile(cohort, protocol.endpoint)
    return Audit(tuple(found), measured, protocol, cohort.fingerprint, profile)


def _predictions(
    cohort: Cohort,
    tables: Mapping[str, Table],
    protocol: ProtocolSettings,
    measured: Measured,
) -> Iterator[Finding]:
    """What tells the label and should not."""
    labelled = None
    selection = select_cases(cohort, protocol)
    yield from followup_findings(cohort, selection)
    try:
        labelled = label_cases(cohort, selection)
        yield from _timing(cohort, labelled, protocol, measured)
        yield from _shortcuts(cohort, tables, labelled, measured)
    except UndefinedMetricError as error:
        mend = error.hint or "gather more patients, or choose an endpoint with more events"
        yield finding("A002", FILE_NAME, reason=error.message, mend=mend)
    if "texts" in tables:
        yield from text_findings(cohort, tables["texts"], labelled, protocol.endpoint)


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


def _shortcuts(
    cohort: Cohort, tables: Mapping[str, Table], labelled: Labelled, measured: Measured
) -> Iterator[Finding]:
    found = shortcuts(cohort, tables, labelled)
    for item, auc in zip(found, judge_shortcuts(found, labelled), strict=True):
        measured[item.name] = auc
        doubt, leak = _BOUNDS[item.code]
        if auc.low > doubt:
            file = cohort.manifest.tables[item.table].file
            told = finding(item.code, file, column=item.column, name=item.name, evidence=auc)
            yield replace(told, severity="error" if auc.low > leak else "warning")
